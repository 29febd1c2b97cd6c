import { describe, expect, it } from "vitest";
import { createCluster } from "./support/cluster.ts";

describe("an election with a watchdog", () => {
  it("puts it off with each renewal, never past the lease, and disarms it once the work has ended", async () => {
    const cluster = createCluster();
    const { timeline } = cluster;
    const said: { readonly atMs: number; readonly ms: number | undefined }[] = [];
    const watchdog = {
      arm: (ms: number) => void said.push({ atMs: timeline.nowMs, ms }),
      disarm: () => void said.push({ atMs: timeline.nowMs, ms: undefined }),
      [Symbol.asyncDispose]: async () => {},
    };
    const node = cluster.node("a", { watchdog });
    node.start();
    await cluster.untilLeader();
    await timeline.advance(10_000);
    const armed = said.map(({ ms }) => ms);
    expect(armed.length).toBeGreaterThanOrEqual(5);
    // 250 ms is half of the margin with which the overrun is reported.
    for (const ms of armed) expect(ms).toBeGreaterThan(14_700);
    for (const ms of armed) expect(ms).toBeLessThanOrEqual(14_750);
    node.link = "cut";
    await timeline.advance(8000);
    const [, last] = said.slice(-2);
    expect((last?.atMs ?? 0) + (last?.ms ?? 0)).toBeLessThan(25_000);
    node.link = "up";
    await node.stop();
    expect(said.at(-1)?.ms).toBeUndefined();
  });

  it("disarms it once an overrun is reported: from then on it is the election's", async () => {
    const cluster = createCluster();
    let isArmed = false;
    const watchdog = {
      arm() {
        isArmed = true;
      },
      disarm() {
        isArmed = false;
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const node = cluster.node("a", { watchdog });
    node.drainMs = 60_000;
    node.start();
    await cluster.untilLeader();
    expect(isArmed).toBe(true);
    node.link = "cut";
    await cluster.timeline.advance(14_000);
    expect(isArmed).toBe(true);
    await cluster.timeline.advance(2000);
    expect(node.errors).toContainEqual(expect.objectContaining({ code: "work_overran" }));
    expect(isArmed).toBe(false);
  });
});
