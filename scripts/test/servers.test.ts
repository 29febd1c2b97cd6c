import { chmodSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ensureRedis } from "../servers.mjs";
import { sourceTree } from "./source-tree.ts";

/** Looks for Redis where only these programs are on the PATH. */
function ensureWith(...programs: string[]) {
  const directory = sourceTree(Object.fromEntries(programs.map((program) => [program, "#!/bin/sh\n"])));
  for (const program of programs) chmodSync(join(directory, program), 0o755);
  vi.stubEnv("PATH", directory);
  onTestFinished(() => void vi.unstubAllEnvs());
  return ensureRedis({ timeoutMs: 10_000 });
}

describe("the programs of Redis", () => {
  it("are taken as they are where all of them are there", async () => {
    expect(await ensureWith("redis-server", "redis-sentinel", "redis-cli")).toEqual({ ok: true, output: "" });
  });

  it("are named where they are missing, with what to do", async () => {
    const { ok, output } = await ensureWith("redis-server");
    expect(ok).toBe(false);
    expect(output).toMatch(/^missing: redis-sentinel, redis-cli\. To install: .+\n$/);
  });

  it("are not installed for whoever may not", async () => {
    vi.spyOn(process, "getuid").mockReturnValue(1000);
    onTestFinished(() => void vi.restoreAllMocks());
    const { ok, output } = await ensureWith("apt-get");
    expect(ok).toBe(false);
    expect(output).toMatch(
      /sudo apt-get install -y redis-server redis-sentinel redis-tools|brew install redis/,
    );
  });
});
