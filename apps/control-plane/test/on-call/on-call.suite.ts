import { describeBackend, eventually, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Scene, setScene } from "./scene.ts";

/**
 * Each trouble of the runbooks, made on purpose: the status, the doctor, the metrics and the alerts name it, and what the
 * runbook says mends it. Run by `pnpm on-call`; needs Prometheus.
 */
describeBackend("redis-standalone", "on call", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await setScene();
  }, 120_000);
  afterAll(() => scene.stop());

  const minutes = (count: number): number => count * 60_000;

  async function leaders(index: number): Promise<readonly string[]> {
    const { members } = await scene.status(scene.node(index).url);
    return members.filter(({ role }) => role === "leader").map(({ id }) => id);
  }

  it(
    "nothing is wrong with a healthy cluster",
    async () => {
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 30_000 });
      // Notes are choices. One of the four addresses is for later, and each node reaches Redis by a network of its own.
      await eventually(
        async () =>
          (await scene.doctor()).every((line) =>
            / note: |nodes-reachable warning|configuration warning: redis\.url/.test(line),
          ),
        { timeoutMs: 30_000, message: "the doctor to be content" },
      );
      expect(await scene.firing()).toEqual([]);
      expect(await scene.query("sum(parallax_ha_is_leader)")).toBe(1);
    },
    minutes(2),
  );

  it(
    "Redis hangs: no leader, Redis down; it goes on within two seconds of its return, and no liveness is lost",
    async () => {
      scene.redis.pause();
      await eventually(async () => (await leaders(0)).length === 0, {
        timeoutMs: 60_000,
        message: "no leader",
      });
      await scene.untilDoctor(/^redis-reachable error: node-0/);
      await scene.untilDoctor(/^leader \w+: no /);
      await scene.untilAlert("ParallaxNoLeader");
      await scene.untilAlert("ParallaxRedisDown");
      for (const index of [0, 1, 2]) {
        const { url } = scene.node(index);
        expect((await fetch(`${url}/health/live`)).status, "liveness").toBe(200);
        expect((await fetch(`${url}/health/ready`)).status, "readiness after 30 s").toBe(503);
      }
      scene.redis.resume();
      const backMs = performance.now();
      await eventually(async () =>
        (await Promise.all([0, 1, 2].map((index) => scene.node(index).isReady()))).every(Boolean),
      );
      console.log(`ready again after ${Math.round(performance.now() - backMs)} ms`);
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 30_000 });
      await scene.untilDoctor(/^(redis-reachable|leader) (error|warning)/, false);
      await scene.untilAlert("ParallaxNoLeader", false);
      await scene.untilAlert("ParallaxRedisDown", false);
    },
    minutes(5),
  );

  it(
    "a node is cut off from Redis: unhealthy; it comes back by itself with the network",
    async () => {
      const { network } = scene.node(2);
      network.blackhole();
      const shown = async () =>
        (await scene.status(scene.node(0).url)).members.find(({ id }) => id === "node-2");
      await eventually(async () => (await shown())?.status === "unhealthy", { timeoutMs: 60_000 });
      await scene.untilDoctor(/^members error: node-2 at \S+ is unhealthy/);
      await scene.untilDoctor(/^redis-reachable error: node-2 /);
      expect(await scene.query("min(parallax_ha_healthy_members)")).toBeLessThan(3);
      await scene.untilAlert("ParallaxUnhealthyMember");
      network.pass();
      await eventually(async () => (await shown())?.status === "healthy", { timeoutMs: 60_000 });
      await scene.untilDoctor(/^(members|redis-reachable) error/, false);
      await scene.untilAlert("ParallaxUnhealthyMember", false);
    },
    minutes(5),
  );

  it(
    "a node is stopped: unhealthy; it is a member again at once when it is started",
    async () => {
      const stopped = scene.node(1);
      stopped.kill("SIGKILL");
      await stopped.exited;
      const shown = async () =>
        (await scene.status(scene.node(0).url)).members.find(({ id }) => id === "node-1");
      await eventually(async () => (await shown())?.status === "unhealthy", { timeoutMs: 60_000 });
      await scene.untilDoctor(/^nodes-reachable warning: node-1 /);
      await scene.untilDoctor(/^members error: node-1 /);
      await scene.untilAlert("ParallaxUnhealthyMember");
      await scene.start(1);
      await eventually(async () => (await shown())?.status === "healthy", { timeoutMs: 30_000 });
      await scene.untilDoctor(/^members error/, false);
      await scene.untilAlert("ParallaxUnhealthyMember", false);
    },
    minutes(5),
  );

  it(
    "a node is on another Redis: split brain; drained and started on the right one it is a standby",
    async () => {
      const other = await startRedis();
      const wrong = await scene.start(3, other.url);
      await eventually(async () => (await leaders(3)).length === 1, {
        timeoutMs: 40_000,
        message: "a second leader",
      });
      expect(await scene.query("sum(parallax_ha_is_leader) > 1 or vector(0)")).toBeGreaterThanOrEqual(0);
      await scene.untilDoctor(/^redis-same error: nodes of one cluster use different Redis/);
      await scene.untilDoctor(/^leader error: split brain: node-\d \(term \d+\) and node-3/);
      await scene.untilAlert("ParallaxSplitBrain");
      expect(await scene.query("sum(parallax_ha_is_leader)")).toBe(2);
      expect((await fetch(`${wrong.url}/ha/drain`, { method: "POST" })).status).toBe(202);
      await wrong.exited;
      await scene.start(3);
      await scene.untilDoctor(/^(redis-same|leader) error/, false);
      await scene.untilAlert("ParallaxSplitBrain", false);
      expect((await scene.status(wrong.url)).members.map(({ id }) => id)).toContain("node-3");
      await other.stop();
    },
    minutes(5),
  );

  it(
    "Redis is slow: sync lag; it is over when the network is quick again",
    async () => {
      for (const index of [0, 1, 2, 3]) scene.node(index).network.delay(550);
      await scene.untilDoctor(/^redis-latency warning: Redis answers slowly/);
      await scene.untilDoctor(/^sync warning: state sync lag/);
      expect(await scene.query('max(parallax_ha_sync_latency_seconds{quantile="0.99"})')).toBeGreaterThan(1);
      await scene.untilAlert("ParallaxSyncLag");
      for (const index of [0, 1, 2, 3]) scene.node(index).network.pass();
      await scene.untilDoctor(/^redis-latency warning/, false);
    },
    minutes(5),
  );
});
