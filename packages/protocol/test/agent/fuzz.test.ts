import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, parseAgentFrame, parseNodeFrame, parseStreamEvent } from "../../src/index.ts";
import { agentFrames, nodeFrames } from "./frames.ts";

const runs = { numRuns: 2_000 };
const frames = [...Object.values(agentFrames), ...Object.values(nodeFrames)];
const texts = frames.map((frame) => encodeFrame(frame));

/** Whatever the text, both parsers answer, and what they let through can be written and read again. */
function holds(text: string): void {
  for (const parse of [parseAgentFrame, parseNodeFrame]) {
    const parsed = parse(text);
    if (parsed.ok) expect(parse(encodeFrame(parsed.frame))).toEqual(parsed);
    else expect(parsed.error.message.length).toBeLessThan(512);
  }
}

/** A text with a few characters taken out, put in or exchanged. */
const damaged = fc
  .tuple(
    fc.constantFrom(...texts),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2), fc.string({ unit: "binary", maxLength: 3 })), {
      maxLength: 4,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((current, [at, removed, inserted]) => {
      const index = at % (current.length + 1);
      return current.slice(0, index) + inserted + current.slice(index + removed);
    }, text),
  );

/** A frame some of whose fields have values of any kind. */
const distorted = fc
  .tuple(fc.constantFrom(...frames), fc.array(fc.tuple(fc.nat(), fc.jsonValue()), { maxLength: 3 }))
  .map(([frame, changes]) => {
    const fields = Object.keys(frame);
    const changed = changes.map(([at, value]) => [fields[at % fields.length] ?? "type", value]);
    return JSON.stringify({ ...frame, ...Object.fromEntries(changed) });
  });

describe("the decoder of frames never throws, and lets through only what can be written again", () => {
  it("whatever text it gets", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), holds), runs);
  });

  it("whatever JSON it gets", () => {
    fc.assert(fc.property(fc.json(), holds), runs);
  });

  it("whatever is damaged in a frame", () => {
    fc.assert(fc.property(damaged, holds), runs);
  });

  it("whatever values the fields of a frame have", () => {
    fc.assert(fc.property(distorted, holds), runs);
  });

  it("however deep a frame is nested", () => {
    const nested = fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.constantFrom("[", '{"a":'));
    fc.assert(
      fc.property(nested, ([depth, open]) => {
        const close = open === "[" ? "]" : "}";
        const value = `${open.repeat(depth)}0${close.repeat(depth)}`;
        holds(encodeFrame({ ...agentFrames.result, result: 0 }).replace('"result":0', `"result":${value}`));
        holds(value);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a result", () => {
  it("of any JSON value arrives as it was sent", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const sent = JSON.stringify(value);
        const parsed = parseAgentFrame(encodeFrame({ ...agentFrames.result, result: JSON.parse(sent) }));
        if (!parsed.ok || parsed.frame.type !== "result") throw new Error("a result was refused");
        expect(JSON.stringify(parsed.frame.result)).toBe(sent);
      }),
      runs,
    );
  });
});

it("the reader of server-sent events never throws", () => {
  const name = fc.option(fc.constantFrom("event", "gap", "snapshot", "later"), { nil: undefined });
  const data = fc.oneof(fc.string({ unit: "binary" }), fc.json());
  fc.assert(
    fc.property(name, data, (given, text) => {
      parseStreamEvent({ name: given, id: undefined, data: text });
    }),
    runs,
  );
});
