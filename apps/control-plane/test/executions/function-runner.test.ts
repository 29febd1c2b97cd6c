import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@parallax/core";
import { afterAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/executions/aggregation.ts";
import { createFunctionRunner } from "../../src/executions/function-runner.ts";

const runner = createFunctionRunner({ clock: systemClock, memoryMiB: 32 });
const answers: Answer[] = [1, 2, 3].map((value) => ({
  agentName: `a${value}`,
  value,
  confidence: undefined,
}));
const run = (source: string, timeoutMs = 20_000) => runner.run({ hash: source, source }, answers, timeoutMs);

/** X7: whatever a user's function does, it has an outcome, and the node lives. */
describe("a function of the user", () => {
  afterAll(() => runner.close());

  it("makes a result of the answers, at once or later", async () => {
    const sum = "export default (answers) => answers.reduce((all, { value }) => all + value, 0)";
    expect(await run(sum)).toEqual({ outcome: "returned", result: 6 });
    const later = "export default async (answers) => ({ names: answers.map(({ agentName }) => agentName) })";
    expect(await run(later)).toEqual({ outcome: "returned", result: { names: ["a1", "a2", "a3"] } });
    expect(await run(sum)).toEqual({ outcome: "returned", result: 6 });
  });

  it.each([
    ["throws", "export default () => { throw new Error('no idea') }", "function_failed", /no idea/],
    ["is none", "export default 7", "function_failed", /no function/],
    ["can't be read", "export default (", "function_failed", /./],
    ["imports what is not in it", "import './other.js'; export default () => 1", "function_failed", /./],
    ["returns nothing", "export default () => {}", "function_failed", /nothing/],
    ["ends its thread", "export default () => process.exit(3)", "function_failed", /ended/],
    [
      "eats memory",
      "export default () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)) }",
      "function_out_of_memory",
      /32 MiB/,
    ],
    [
      "fails behind its own back",
      "export default () => { setTimeout(() => { throw new Error('late') }); return new Promise(() => {}) }",
      "function_failed",
      /late/,
    ],
  ])("that %s has failed", async (_, source, code, message) => {
    expect(await run(source)).toMatchObject({
      outcome: "failed",
      code,
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ["loops", "export default () => { for (;;); }"],
    ["never ends", "export default () => new Promise(() => {})"],
  ])("that %s is stopped after its time", async (_, source) => {
    expect(await run(source, 300)).toMatchObject({ outcome: "failed", code: "function_timeout" });
  });

  it("that fails between two calls harms neither the node nor the next call", async () => {
    const source =
      "export default () => { setTimeout(() => { throw new Error('late') }, 20); return process.pid; }";
    const wanted = { hash: "fails later", source };
    for (let call = 0; call < 20; call += 1) {
      const ended = await runner.run(wanted, answers, 20_000);
      expect(ended, "nobody waits for a worker that has died").not.toMatchObject({
        code: "function_timeout",
      });
      await sleep(10);
    }
  });

  it("that was stopped keeps nobody else from being called", async () => {
    const source = "export default (answers) => { while (answers.length === 0); return answers.length; }";
    const wanted = { hash: "loops on nothing", source };
    expect(await runner.run(wanted, [], 300)).toMatchObject({ code: "function_timeout" });
    expect(await runner.run(wanted, answers, 20_000)).toEqual({ outcome: "returned", result: 3 });
  });

  it("sees nothing of the node's environment", async () => {
    process.env.PARALLAX_TEST_SECRET = "s3cret";
    const source = "export default () => String(globalThis.process?.env.PARALLAX_TEST_SECRET)";
    expect(await run(source)).toEqual({ outcome: "returned", result: "undefined" });
  });

  it("waits its turn while others run, and none is lost", async () => {
    const source = "export default (answers) => answers.length";
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => run(source)));
    expect(outcomes).toEqual(Array(20).fill({ outcome: "returned", result: 3 }));
  });
});
