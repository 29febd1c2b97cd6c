import { describe, expect, it } from "vitest";
import { agentLimits, encodeFrame, parseAgentFrame, parseNodeFrame } from "../../src/index.ts";
import { agentFrames, nodeFrames } from "./frames.ts";

function errorOf(text: string): string {
  const parsed = parseAgentFrame(text);
  return parsed.ok ? "none" : parsed.error.code;
}

describe("a frame", () => {
  it.each(Object.values(agentFrames))("of an agent arrives as it was sent: $type", (frame) => {
    expect(parseAgentFrame(encodeFrame(frame))).toEqual({ ok: true, frame });
  });

  it.each(Object.values(nodeFrames))("of a node arrives as it was sent: $type", (frame) => {
    expect(parseNodeFrame(encodeFrame(frame))).toEqual({ ok: true, frame });
  });

  it.each([...Object.values(agentFrames)])("is taken with fields of a later version: $type", (frame) => {
    expect(parseAgentFrame(JSON.stringify({ ...frame, later: [1] }))).toEqual({ ok: true, frame });
  });

  it("is not taken at the wrong end", () => {
    expect(parseNodeFrame(encodeFrame(agentFrames.result))).toMatchObject({
      error: { code: "unknown_type" },
    });
    expect(parseAgentFrame(encodeFrame(nodeFrames.ack))).toMatchObject({ error: { code: "unknown_type" } });
  });

  it("of an unknown type is told apart from a broken one, with its type", () => {
    expect(parseAgentFrame('{"type":"later"}')).toMatchObject({
      ok: false,
      error: { code: "unknown_type", type: "later" },
    });
    expect(errorOf('{"type":"accept"}')).toBe("invalid_frame");
  });

  it("may carry null as its result, but not no result", () => {
    expect(parseAgentFrame(JSON.stringify({ ...agentFrames.result, result: null })).ok).toBe(true);
    expect(errorOf(JSON.stringify({ ...agentFrames.result, result: undefined }))).toBe("invalid_frame");
  });

  it.each(["", "hello", "null", "[]", "1", '{"type":"hello"', "\u0000"])("is not %j", (text) => {
    expect(errorOf(text)).toBe("not_json");
  });

  it.each(["{}", '{"type":1}', '{"type":null}'])("has a type, other than %s", (text) => {
    expect(errorOf(text)).toBe("invalid_frame");
  });

  it.each(["__proto__", "constructor", "toString"])("is not looked up beside the known ones: %s", (type) => {
    expect(errorOf(JSON.stringify({ type: "x" }).replace("x", type))).toBe("unknown_type");
  });

  it("is refused when its value would overflow the stack of whoever writes it again", () => {
    const nested = (depth: number): string =>
      JSON.stringify({ ...agentFrames.result, result: 0 }).replace(
        '"result":0',
        `"result":${"[".repeat(depth)}${"]".repeat(depth)}`,
      );
    expect(errorOf(nested(500_000))).toBe("too_deep");
    expect(errorOf(nested(agentLimits.maxNesting))).toBe("too_deep");
    expect(errorOf(nested(agentLimits.maxNesting - 1))).toBe("none");
  });

  it("may hold brackets in its strings", () => {
    const frame = { ...agentFrames.result, result: `"${"[{".repeat(1000)}\\"` };
    expect(parseAgentFrame(encodeFrame(frame))).toEqual({ ok: true, frame });
  });

  it("that is wrong is answered with its field, and never with much of its text", () => {
    const parsed = parseAgentFrame(JSON.stringify({ ...agentFrames.accept, attempt: 0 }));
    expect(parsed).toMatchObject({ error: { message: expect.stringContaining("attempt") } });
    const long = parseAgentFrame(JSON.stringify({ type: "x".repeat(100_000) }));
    expect(JSON.stringify(long).length).toBeLessThan(1000);
  });
});

describe("hello", () => {
  const hello = agentFrames.hello;
  it.each([
    ["no capability", { capabilities: [] }],
    ["no slot", { maxConcurrentTasks: 0 }],
    ["more slots than any agent has", { maxConcurrentTasks: agentLimits.maxConcurrentTasks + 1 }],
    ["a connection that was not counted", { connection: 0 }],
    ["an agent id of another kind", { agentId: "exec_1" }],
    ["a held task without an attempt", { holding: [{ taskId: "exec_1:0", executionId: "exec_1" }] }],
    ["owed tasks that are none", { owed: ["exec_1"] }],
  ])("is refused with %s", (_, wrong) => {
    expect(errorOf(JSON.stringify({ ...hello, ...wrong }))).toBe("invalid_frame");
  });
});
