import { ParallaxError } from "@parallax/core";
import { encodeFrame, parseAgentFrame } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { outcomeFrame } from "../src/outcome.ts";

const task = { taskId: "exec_a:0", executionId: "exec_a", attempt: 2 };

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

const circular: { self?: unknown } = {};
circular.self = circular;

describe("what a handler answers", () => {
  it("becomes a result", () => {
    const frame = outcomeFrame(task, {
      type: "answered",
      answer: { result: { label: "MIT" }, confidence: 0.9 },
    });
    expect(frame).toEqual({ type: "result", ...task, result: { label: "MIT" }, confidence: 0.9 });
  });

  it("may be nothing", () => {
    expect(outcomeFrame(task, { type: "answered", answer: { result: undefined } })).toEqual({
      type: "result",
      ...task,
      result: null,
    });
  });

  it.each([
    ["no object", "MIT"],
    ["no result", { confidence: 1 }],
    ["a confidence above 1", { result: 1, confidence: 1.5 }],
    ["a confidence that is no number", { result: 1, confidence: "high" }],
    ["a bigint", { result: 1n }],
    ["a circle", { result: circular }],
    ["a value that is nested too deep", { result: nested(500) }],
    ["a value that overflows the stack", { result: nested(100_000) }],
  ])("is a failure when it is %s, and no attempt can mend it", (_, answer) => {
    const frame = outcomeFrame(task, { type: "answered", answer });
    expect(frame).toMatchObject({ type: "failure", error: { code: "invalid_result", retryable: false } });
    expect(parseAgentFrame(encodeFrame(frame)).ok).toBe(true);
  });
});

describe("what a handler throws", () => {
  it("becomes a failure that may be tried again", () => {
    expect(outcomeFrame(task, { type: "threw", error: new Error("no model") })).toEqual({
      type: "failure",
      ...task,
      error: { code: "handler_failed", message: "no model", retryable: true },
    });
  });

  it("gives its code, and says when no attempt can help", () => {
    const error = new ParallaxError("bad_input", "reading the text: send UTF-8", {
      details: { retryable: false },
    });
    expect(outcomeFrame(task, { type: "threw", error })).toMatchObject({
      error: { code: "bad_input", retryable: false },
    });
  });

  it.each([undefined, null, 7, "x".repeat(100_000), new ParallaxError("Bad Code!", "x")])(
    "is always a frame that a node can read",
    (error) => {
      const frame = outcomeFrame(task, { type: "threw", error });
      expect(parseAgentFrame(encodeFrame(frame)).ok).toBe(true);
    },
  );
});
