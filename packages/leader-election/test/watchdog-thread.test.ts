import { fileURLToPath } from "node:url";
import { type BundledScript, bundleScript, startProcess } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { durations } from "./support/durations.ts";

describe("the watchdog's thread", () => {
  let script: BundledScript;
  beforeAll(async () => {
    script = await bundleScript(fileURLToPath(new URL("./support/blocked-node.ts", import.meta.url)));
  });
  afterAll(() => script.remove());

  it("L4: ends a process whose event loop is blocked, before another may lead", async () => {
    const node = await startProcess({ script: script.path, args: ["blocks"] });
    const { signal } = await node.exited;
    const endedAt = Date.now();
    expect(signal).toBe("SIGKILL");
    const output = node.lines.join("\n");
    expect(output).toContain("the event loop is blocked and the lease runs out");
    const [, cutAt] = /cut (\d+)/.exec(output) ?? [];
    // The last renewal was up to a retry period before; the process hears of the end of another a little late.
    expect(endedAt - Number(cutAt)).toBeGreaterThan(
      durations.leaseDurationMs - 2 * durations.retryPeriodMs - 300,
    );
  });

  it("leaves a process alone whose event loop is free, though its work does not end", async () => {
    const node = await startProcess({ script: script.path, args: ["ignores"] });
    expect(await node.exited).toEqual({ code: 0, signal: null });
    expect(node.lines).toContain("still here");
  });
});
