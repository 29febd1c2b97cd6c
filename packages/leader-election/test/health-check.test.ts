import { expect, it } from "vitest";
import { leaseHealthCheck } from "../src/index.ts";
import { createCluster } from "./support/cluster.ts";

it("passes where a leader is known, and warns where none is", async () => {
  const cluster = createCluster();
  const [leader, standby] = [cluster.node("a"), cluster.node("b")];
  const check = leaseHealthCheck(standby.election);
  expect(check.run()).toMatchObject({ status: "warn" });
  leader.start();
  await cluster.untilLeader();
  standby.start();
  await cluster.timeline.advance(1000);
  expect(check.run()).toEqual({ status: "pass", observedValue: "a" });
  leader.crash();
  standby.link = "cut";
  await cluster.timeline.advance(1000);
  expect(leaseHealthCheck(leader.election).run()).toMatchObject({ status: "pass" });
});

it("fails while work outlives its lease, and no longer", async () => {
  const cluster = createCluster();
  const node = cluster.node("a");
  node.drainMs = 60_000;
  node.start();
  await cluster.untilLeader();
  const check = leaseHealthCheck(node.election);
  const stepping = node.election.stepDown();
  await cluster.timeline.advance(15_000);
  expect(check.run().status).not.toBe("fail");
  await cluster.timeline.advance(15_000);
  expect(check.run().status).toBe("fail");
  await cluster.timeline.advance(40_000);
  await stepping;
  expect(check.run().status).not.toBe("fail");
});

it("the loop's worst stall is remembered for a minute or two, whoever asks", async () => {
  const cluster = createCluster();
  const node = cluster.node("a");
  node.start();
  await cluster.untilLeader();
  await cluster.timeline.advance(1000);
  node.clock.stall(4000);
  await cluster.timeline.advance(10_000);
  expect(node.election.stats().loopStallMs).toBeGreaterThan(1900);
  expect(node.election.stats().loopStallMs).toBeGreaterThan(1900);
  await cluster.timeline.advance(180_000);
  expect(node.election.stats().loopStallMs).toBeLessThan(100);
});
