import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BundledScript, bundleScript } from "../src/bundle.ts";
import { eventually } from "../src/eventually.ts";
import { startProcess } from "../src/process.ts";

const support = (name: string): string => join(import.meta.dirname, "support", name);
let script: BundledScript;
beforeAll(async () => {
  script = await bundleScript(support("scripted-process.ts"));
});
afterAll(() => script.remove());

describe("a process of a test's own", () => {
  it("shows what it writes, and waits for a line of it", async () => {
    await using child = await startProcess({ script: script.path, args: ["one", "two"] });
    expect((await child.line(/^args (.*)/))[1]).toBe("one two");
    await child.line(/^on standard error$/);
    await expect(child.line(/^never$/, { timeoutMs: 50 })).rejects.toThrow(
      /50 ms for a line like[\s\S]*args one two/,
    );
  });

  it("answers over HTTP", async () => {
    await using child = await startProcess({ script: script.path });
    const [, port] = await child.line(/^port (\d+)/);
    await child.answers(`http://127.0.0.1:${port}/ready`);
    await expect(child.answers(`http://127.0.0.1:${port}/busy`, { timeoutMs: 50 })).rejects.toThrow("50 ms");
  });

  it("stops when it is asked to, and is killed if it does not", async () => {
    const willing = await startProcess({ script: script.path });
    await willing.line(/^port/);
    expect(await willing.stop()).toEqual({ code: 7, signal: null });
    expect(willing.lines).toContain("stopping");
    const stubborn = await startProcess({ script: script.path, env: { STUBBORN: "yes" } });
    await stubborn.line(/^port/);
    expect(await stubborn.stop({ timeoutMs: 100 })).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("stands still while it is paused, and stops all the same", async () => {
    const child = await startProcess({ script: script.path });
    const [, port] = await child.line(/^port (\d+)/);
    child.pause();
    await expect(child.answers(`http://127.0.0.1:${port}/ready`, { timeoutMs: 100 })).rejects.toThrow();
    child.resume();
    await child.answers(`http://127.0.0.1:${port}/ready`);
    child.pause();
    expect((await child.stop()).code).toBe(7);
  });

  it("tells at once that it ended before it did what was waited for", async () => {
    const child = await startProcess({ script: script.path });
    await child.line(/^port/);
    const line = expect(child.line(/^never$/)).rejects.toThrow(/ended before/);
    await child.kill();
    await line;
    expect(child.exit).toEqual({ code: null, signal: "SIGKILL" });
  });
});

describe("what a dead test process leaves behind", () => {
  it("is gone a moment later: servers and folders", async () => {
    const leaver = await bundleScript(support("leaves-things-behind.ts"));
    const child = await startProcess({ script: leaver.path });
    const [, pid, directory = ""] = await child.line(/^left (\d+) (.+)/);
    expect([existsSync(`/proc/${pid}`), existsSync(directory)]).toEqual([true, true]);
    await child.kill();
    await eventually(() => !existsSync(`/proc/${pid}`) && !existsSync(directory));
    await leaver.remove();
  });
});
