import { describe, expect, it } from "vitest";
import { scriptedCluster } from "./simulation/scripted.ts";

/** An execution that is given 30 s, 25 of which its machine sleeps. Of its two agents one answers after 35 s, one never. */
async function asleep(nodes: number) {
  const settings = {
    "highAvailability.memberHealth.checkInterval": "10s",
    "highAvailability.memberHealth.timeout": "3s",
  };
  const at = await scriptedCluster({ nodes, agents: 2, settings });
  await at.put({ name: "two", timeout: "30s", agents: { min: 2, max: 2 } });
  await at.put({ name: "one", timeout: "60s" });
  const [agent] = at.agents;
  if (agent) agent.slowMs = 600_000;
  const submittedMs = at.timeline.nowMs;
  const id = await at.submit(0, "two", { ms: 35_000 });
  await at.timeline.advance(500);
  at.place(0).clock?.suspend(25_000);
  await at.timeline.advance(25_000);
  return { at, id, submittedMs };
}

describe("a machine that has slept (X8)", () => {
  it("hears that it slept although a submission comes before anything else", async () => {
    const { at, id, submittedMs } = await asleep(1);
    await at.submit(0, "one", "soon after");
    expect(await at.ended(id)).toMatchObject({ error: { code: "timeout" } });
    expect(at.timeline.nowMs - submittedMs).toBeGreaterThan(54_000);
  });

  it("gives what is submitted then the time that it missed once, not twice", async () => {
    const { at } = await asleep(1);
    const submittedAtMs = at.place(0).clock?.wall() ?? 0;
    const id = await at.submit(0, "one", { ms: 50_000 });
    await at.timeline.advance(15_000);
    expect((await at.read(id)).deadlineAtMs - submittedAtMs).toBeGreaterThanOrEqual(60_000);
    expect((await at.read(id)).deadlineAtMs - submittedAtMs).toBeLessThan(61_000);
  });

  it("hands its executions over with the time that they have left", async () => {
    const { at, id, submittedMs } = await asleep(2);
    expect((await at.read(id)).nodeId).toBe("node-0");
    at.place(0).drain();
    await at.until("the hand-over", async () => (await at.read(id)).nodeId === "node-1");
    expect(await at.ended(id)).toMatchObject({ error: { code: "timeout" }, adoptions: 0 });
    expect(at.timeline.nowMs - submittedMs).toBeGreaterThan(54_000);
  });
});
