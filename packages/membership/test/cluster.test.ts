import { setTimeout as sleep } from "node:timers/promises";
import { createKeySpace } from "@parallax/redis";
import { type ClusterFixture, describeBackend, eventually, startCluster } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { membershipStoreConformance } from "../src/conformance.ts";
import { allTold, startNodes, stopAll, types } from "./support/live-nodes.ts";
import { redisBackend } from "./support/redis-backend.ts";

let servers: ClusterFixture;
beforeAll(async () => {
  servers = await startCluster();
});
afterAll(() => servers.stop());

describeBackend("redis-cluster", "the membership store", () => {
  membershipStoreConformance(
    { describe, it },
    () => redisBackend({ where: servers.where, replicas: 1, failOver: (key) => servers.failover(key) }),
    { failOver: true, events: true },
  );
});

describeBackend("redis-cluster", "a cluster", () => {
  it("fails nobody and ends nobody when the primary is killed", async () => {
    const keySpace = createKeySpace({ prefix: "live:", cluster: true });
    const timings = { checkIntervalMs: 500, timeoutMs: 400, unhealthyThreshold: 3 };
    const nodes = await startNodes(3, { where: servers.where, keySpace, ...timings });
    const incarnations = nodes.map(({ membership }) => membership.incarnation);
    await servers.failover(keySpace.coordination("ha:members"), { kill: true });
    await allTold(nodes, "reset");
    await eventually(() => nodes.every(({ membership }) => membership.unacknowledgedMs() < 1000));
    await sleep(3000);
    for (const { membership } of nodes) {
      expect(membership.view()?.members.map(({ id, status }) => [id, status])).toEqual([
        ["node-0", "healthy"],
        ["node-1", "healthy"],
        ["node-2", "healthy"],
      ]);
    }
    expect(nodes.map(({ membership }) => membership.incarnation)).toEqual(incarnations);
    expect(types(nodes)).not.toContain("failed");
    expect(types(nodes)).not.toContain("ended");
    await stopAll(nodes);
  });
});
