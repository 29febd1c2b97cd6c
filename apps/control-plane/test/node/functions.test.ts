import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Execution } from "@parallax/protocol";
import { createTemporaryDirectory, type TemporaryDirectory } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { call, errorOf } from "../support/requests.ts";

/** Modules of users, each with the way in which it behaves. */
const modules = {
  "merge.js": "export default (answers) => answers.map(({ value }) => value).sort()",
  "slow.mjs":
    "export default async () => { await new Promise((go) => setTimeout(go, 1200)); return 'at last' }",
  "loops.js": "export default () => { for (;;); }",
  "throws.js": "export default () => { throw new Error('no idea') }",
  "leaves.js": "export default () => process.exit(1)",
  "eats.js": "export default () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)) }",
};

/** X7, over HTTP: whatever a user's function does, its execution ends and the node goes on. */
describe("executions that a user's function aggregates", () => {
  let directory: TemporaryDirectory;
  let nodes: LocalNodes;

  beforeAll(async () => {
    directory = await createTemporaryDirectory("functions");
    for (const [name, text] of Object.entries(modules)) await writeFile(join(directory.path, name), text);
    nodes = await startNodes(1, { "patterns.directory": directory.path });
    for (const name of ["a", "b", "c"])
      await nodes.agent({ name, slots: 10, handler: async () => ({ result: name }) });
  });
  afterAll(async () => {
    await nodes?.stop();
    await directory?.remove();
  });

  async function run(module: string, timeout?: string): Promise<Execution> {
    const name = module.replace(".", "-");
    const aggregate = {
      strategy: "function",
      module,
      ...(timeout === undefined ? {} : { timeout }),
    } as const;
    const { patterns, executions } = nodes.client(0);
    await patterns.put(workPattern(name, { agents: { min: 3, max: 3 }, timeout: "2m", aggregate }));
    return executions.run({ pattern: name, input: "in", timeout: "60s" });
  }

  it("have what it made of all answers", async () => {
    expect(await run("merge.js")).toMatchObject({ status: "completed", result: ["a", "b", "c"] });
  });

  it("wait for it as long as the pattern says", async () => {
    expect(await run("slow.mjs", "30s")).toMatchObject({ status: "completed", result: "at last" });
  });

  it.each([
    ["loops.js", "function_timeout"],
    ["throws.js", "function_failed"],
    ["leaves.js", "function_failed"],
    ["eats.js", "function_out_of_memory"],
  ])("fail with %s, and the next one is made all the same", async (module, code) => {
    // Longer than the default, for eating takes a while.
    const ended = await run(module, module === "eats.js" ? "30s" : undefined);
    expect(ended).toMatchObject({ status: "failed", error: { code } });
    expect(ended.tasks.map(({ result }) => result).sort(), "the answers are kept").toEqual(["a", "b", "c"]);
    expect(await run("merge.js")).toMatchObject({ status: "completed" });
  });

  it("need a module that the node has", async () => {
    const aggregate = { strategy: "function", module: "missing.js" };
    const body = { ...workPattern("missing"), aggregate };
    const answer = await call(`${nodes.node(0).url}/api/patterns/missing`, { method: "PUT", body });
    expect(errorOf(answer, 400)).toMatchObject({ code: "invalid_pattern" });
  });
});
