import { setTimeout as sleep } from "node:timers/promises";
import { describeBackend, eventually } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, it, onTestFailed } from "vitest";
import { clientOf, startAgents, startBalancer, startStream, untilEnded, watchFinals } from "./load.ts";
import { type LocalCluster, parallax, startCluster } from "./local-cluster.ts";

const leaseMs = 3000;
const table = (leader: string, members: readonly string[]): RegExp =>
  new RegExp(
    [
      "^Cluster: production",
      `Members: ${members.length}`,
      `Leader: ${leader}`,
      "",
      `Node {22}Status    Role      Last Seen`,
      ...members.map((id) => `${id}  (healthy|unhealthy|draining) +(leader|standby) +\\d+s ago`),
    ].join("\n"),
  );

describeBackend(
  "redis-standalone",
  "three processes, twenty agents and a steady stream of executions",
  () => {
    let cluster: LocalCluster;
    let agents: { stop(): Promise<void> };
    let redis: Redis;
    const ids = ["parallax-control-plane-0", "parallax-control-plane-1", "parallax-control-plane-2"];

    beforeEach(async () => {
      onTestFailed(() => {
        for (const id of ids) console.log(cluster.node(id).output().split("\n").slice(-40).join("\n"));
      });
      cluster = await startCluster(3);
      agents = await startAgents(20, cluster.urls);
      redis = new Redis(cluster.redis.url);
      redis.on("error", () => {});
    });
    afterEach(async () => {
      redis.disconnect();
      await agents.stop();
      await cluster.stop();
    });

    async function loseLeader(
      signal: "SIGKILL" | "SIGTERM",
    ): Promise<{ old: string; next: string; tookMs: number }> {
      const node = await cluster.leader();
      const old = node.id;
      const startedMs = performance.now();
      node.kill(signal);
      const next = await eventually(async () => {
        const current = await redis.get("parallax:ha:leader");
        return current !== null && current !== old && current;
      });
      return { old, next, tookMs: performance.now() - startedMs };
    }

    async function everyAcceptedExecutionIsDone(
      accepted: ReadonlyMap<string, string>,
      counts: ReadonlyMap<string, number>,
    ): Promise<void> {
      const client = clientOf(cluster.urls);
      for (const [id, expected] of accepted) {
        const execution = await untilEnded(client, id, 15_000);
        expect(execution, id).toMatchObject({ status: "completed", result: expected });
      }
      const twice = [...accepted.keys()]
        .filter((id) => counts.get(id) !== 1)
        .map((id) => `${id}: ${counts.get(id)}`);
      expect(twice, "executions without exactly one final event").toEqual([]);
    }

    it("goes on with nothing lost when the leader is killed", async () => {
      const { counts, stop } = await watchFinals(cluster.redis.url);
      const { id: first } = await cluster.leader();
      const before = await parallax(["ha", "status", "--url", cluster.urls.join(",")]);
      expect(before).toMatchObject({ code: 0, output: expect.stringMatching(table(first, ids)) });

      let lost = "";
      const stream = startStream({ urls: () => cluster.urls, everyMs: 15, isUp: (url) => url !== lost });
      await eventually(() => stream.accepted.size > 60);
      lost = cluster.node(first).url;
      const { old, next, tookMs } = await loseLeader("SIGKILL");
      expect(tookMs, "milliseconds without a leader").toBeLessThan(leaseMs + 1000);
      const soFar = stream.accepted.size;
      await eventually(() => stream.accepted.size > soFar + 100);
      await sleep(1000);
      await stream.stop();

      await everyAcceptedExecutionIsDone(stream.accepted, counts);
      expect(stream.failures, "failed requests to living nodes").toEqual([]);
      stop();

      const after = await eventually(async () => {
        const shown = await parallax(["ha", "status", "--url", cluster.urls.join(",")]);
        return shown.output.includes("unhealthy") && shown;
      });
      expect(after.output).toMatch(table(next, ids));
      expect(after.output).toContain(`${old}  unhealthy`);
    }, 120_000);

    it("has a new leader at once when the leader is told to stop", async () => {
      const { counts, stop } = await watchFinals(cluster.redis.url);
      const stopped = await cluster.leader();
      const balancer = startBalancer(() => cluster.urls);
      const stream = startStream({ urls: balancer.urls, everyMs: 15, isUp: () => true });
      await eventually(() => stream.accepted.size > 60);
      const { tookMs } = await loseLeader("SIGTERM");
      expect(tookMs, "milliseconds without a leader: handed over, not expired").toBeLessThan(leaseMs);
      expect(await stopped.exited, "exit code").toBe(0);
      await stream.stop();
      balancer.stop();
      await everyAcceptedExecutionIsDone(stream.accepted, counts);
      expect(stream.failures, "failed requests").toEqual([]);
      stop();
    }, 120_000);

    it("shows an operator what redis-cli needs to show", async () => {
      const client = clientOf(cluster.urls);
      const execution = await client.executions.run({ pattern: "shout", input: "hello" });
      expect(execution.result).toBe("HELLO");
      const fields = await redis.hgetall(`parallax:execution:${execution.id}`);
      expect(fields).toMatchObject({
        status: "completed",
        pattern: "shout",
        startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        nodeId: expect.stringMatching(/^parallax-control-plane-\d$/),
      });
      const [agent] = (await client.agents.list()).agents;
      const session = await redis.hgetall(`parallax:agent:${agent?.id}`);
      expect(Object.keys(session).slice(0, 3)).toEqual(["nodeId", "capabilities", "connectedAt"]);
      expect(session.capabilities).toBe('["shouting"]');
    }, 120_000);
  },
);
