import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root, run } from "../command.mjs";
import { sourceTree } from "./source-tree.ts";

/** Runs vitest on one test file, with the reporter, and gives back what that wrote. */
async function report(source: string) {
  const directory = sourceTree({
    "a.test.mjs": `import { beforeAll, describe, it } from "vitest";\n${source}`,
  });
  const summary = join(directory, "summary.json");
  const reporter = `--reporter=${join(root, "scripts/vitest-reporter.mjs")}`;
  const args = ["run", "--root", directory, "--globals", reporter];
  const { ok, output } = await run(join(root, "node_modules/.bin/vitest"), args, {
    env: { PARALLAX_TEST_SUMMARY: summary },
  });
  return { ok, output, summary: JSON.parse(readFileSync(summary, "utf8")) };
}

describe("the reporter", () => {
  it("counts passed tests by the backend that a title of theirs names", async () => {
    const { ok, summary } = await report(`
      describe("[memory] lease store", () => { it("grants", () => {}); it("renews", () => {}); });
      describe("lease store", () => { describe("[redis-standalone]", () => { it("grants", () => {}); }); });
      it("counts nothing here", () => {});
    `);
    expect(ok).toBe(true);
    expect(summary).toEqual({
      passed: 4,
      failed: 0,
      skipped: [],
      backends: { memory: 2, "redis-standalone": 1 },
    });
  });

  it("counts failures, and shows them", async () => {
    const { ok, output, summary } = await report(`
      it("fails", () => { throw new Error("the reason"); });
      describe("hooked", () => { beforeAll(() => { throw new Error("no fixture"); }); it("never runs", () => {}); });
    `);
    expect(ok).toBe(false);
    expect(output).toContain("the reason");
    expect(output).toContain("no fixture");
    expect(summary).toMatchObject({ passed: 0, failed: 2 });
  });

  it("counts what happens outside of any test", async () => {
    const { ok, summary } = await report(`
      it("passes", () => { Promise.reject(new Error("unhandled")); });
    `);
    expect(ok).toBe(false);
    expect(summary).toMatchObject({ passed: 1, failed: 1 });
  });

  it("names tests that were left out", async () => {
    const { summary } = await report(`
      describe("suite", () => { it.skip("skipped", () => {}); it.todo("to be written"); });
    `);
    expect(summary.skipped).toEqual(["a.test.mjs > suite > skipped", "a.test.mjs > suite > to be written"]);
  });
});
