import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { run } from "../command.mjs";
import { sourceTree } from "./source-tree.ts";

const node = (source: string, options?: Parameters<typeof run>[2]) =>
  run(process.execPath, ["-e", source], options);

describe("run", () => {
  it("keeps the output of both streams", async () => {
    const outcome = await node('console.log("out"); console.error("err");');
    expect(outcome.ok).toBe(true);
    expect(outcome.output).toContain("out\n");
    expect(outcome.output).toContain("err\n");
  });

  it("says why a program failed", async () => {
    expect(await node("process.exit(3)")).toMatchObject({
      ok: false,
      output: expect.stringContaining("exit code 3"),
    });
    expect(await node("process.kill(process.pid, 'SIGKILL')")).toMatchObject({
      ok: false,
      output: expect.stringContaining("SIGKILL"),
    });
    expect(await run("no-such-program", [])).toMatchObject({
      ok: false,
      output: expect.stringContaining("could not start no-such-program"),
    });
  });

  it("ends a program that runs out of time, with all that it started", async () => {
    const directory = sourceTree({
      "child.mjs":
        'import { writeFileSync } from "node:fs";\nwriteFileSync("pid", String(process.pid));\nsetInterval(() => {}, 1e6);\n',
      "parent.mjs":
        'import { spawn } from "node:child_process";\nspawn(process.execPath, ["child.mjs"]);\nsetInterval(() => {}, 1e6);\n',
    });
    const outcome = await run(process.execPath, ["parent.mjs"], { cwd: directory, timeoutMs: 2_000 });
    expect(outcome).toMatchObject({ ok: false, output: expect.stringContaining("was ended after 2 s") });
    const file = join(directory, "pid");
    expect(existsSync(file)).toBe(true);
    const child = Number(readFileSync(file, "utf8"));
    await vi.waitFor(() => expect(() => process.kill(child, 0)).toThrow("ESRCH"), { timeout: 10_000 });
  });
});
