import { fileURLToPath } from "node:url";
import { bundleScript, startProcess } from "@parallax/testing";
import { expect, it } from "vitest";
import { overrunDurations } from "./support/durations.ts";

it("L4: `overrun: exit` ends the process before another may lead, if its work does not end", async () => {
  const script = await bundleScript(fileURLToPath(new URL("./support/overrunning-node.ts", import.meta.url)));
  const node = await startProcess({ script: script.path });
  const { code } = await node.exited;
  expect(code).toBe(1);
  expect(node.lines[0]).toBe("aborted");
  const [, ms] = /exits after (\d+) ms/.exec(node.lines.join("\n")) ?? [];
  // The lease counts from a moment before the work began.
  expect(Number(ms)).toBeGreaterThan(overrunDurations.renewDeadlineMs);
  expect(Number(ms)).toBeLessThan(overrunDurations.leaseDurationMs);
  await script.remove();
});
