import { describeBackend, eventually, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Typed } from "./runbook.ts";
import { type Scene, setScene } from "./scene.ts";

const minutes = (count: number): number => count * 60_000;

/** What the first command that matches has printed. */
function outputOf(typed: readonly Typed[], command: RegExp): string {
  const found = typed.find((each) => command.test(each.command));
  if (!found) throw new Error(`nobody typed ${command}`);
  return found.output;
}

/** A command of the pages that does not end by itself. */
const interrupted = 130;

/**
 * Each trouble of the runbooks, made on purpose: the status, the doctor, the metrics and the alerts name it, and what the
 * runbook says, typed as it is written, shows it and mends it. Run by `pnpm on-call`; needs Prometheus.
 */
describeBackend("redis-standalone", "on call", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await setScene();
  }, 120_000);
  afterAll(() => scene?.stop());

  async function leaders(index: number): Promise<readonly string[]> {
    const { members } = await scene.status(scene.node(index).url);
    return members.filter(({ role }) => role === "leader").map(({ id }) => id);
  }

  /** How the first node sees another one. */
  async function shown(id: string): Promise<string | undefined> {
    const { members } = await scene.status(scene.node(0).url);
    return members.find((member) => member.id === id)?.status;
  }

  it(
    "nothing is wrong with a healthy cluster",
    async () => {
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 30_000 });
      // Notes are choices. One of the four addresses is for later, each node reaches Redis by a network of its own, and Redis
      // has no replica.
      await eventually(
        async () =>
          (await scene.doctor()).every((line) =>
            / note: |nodes-reachable warning|redis-servers|configuration warning: redis\.url/.test(line),
          ),
        { timeoutMs: 30_000, message: "the doctor to be content" },
      );
      await eventually(async () => (await scene.query("sum(parallax_ha_is_leader)")) === 1, {
        timeoutMs: 30_000,
        message: "Prometheus to have seen the leader",
      });
      expect(await scene.firing()).toEqual([]);
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
      const looked = await scene.runbook.type("no-leader", "Look");
      expect(outputOf(looked, /^parallax doctor/)).toMatch(/ERROR +redis-reachable/);
      expect(outputOf(looked, /^parallax ha status/)).toContain("Leader: none");
      expect(looked.find(({ command }) => command.includes("PING"))?.code).toBe(interrupted);
      expect((await scene.runbook.type("redis-failover", "Look")).at(-1)?.code).toBe(interrupted);
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
    "Redis is killed: started again it has what it had, and the leader is back",
    async () => {
      await scene.redis.kill();
      const looked = await scene.runbook.type("redis-failover", "Look");
      expect(outputOf(looked, /PING/)).toContain("Connection refused");
      await scene.redis.restart();
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 60_000 });
      await scene.untilDoctor(/^(redis-reachable|leader) (error|warning)/, false);
      const page = await scene.runbook.run("parallax executions --limit 5");
      expect(page.output).toMatch(/exec_\w+ +\w+ +shout/);
    },
    minutes(3),
  );

  it(
    "a node is cut off from Redis: unhealthy; it comes back by itself with the network",
    async () => {
      const { network, url } = scene.node(2);
      network.blackhole();
      await eventually(async () => (await shown("node-2")) === "unhealthy", { timeoutMs: 60_000 });
      await scene.untilDoctor(/^members error: node-2 at \S+ is unhealthy/);
      await scene.untilDoctor(/^redis-reachable error: node-2 /);
      const looked = await scene.runbook.type("unhealthy-member", "Look", {
        where: { "http://the-node:8080": url },
      });
      expect(outputOf(looked, /^parallax doctor/)).toMatch(/members +node-2 at/);
      expect(outputOf(looked, /^curl/)).toMatch(/"redis":\[\{"status":"fail"/);
      expect(await scene.query("min(parallax_ha_healthy_members)")).toBeLessThan(3);
      await scene.untilAlert("ParallaxUnhealthyMember");
      network.pass();
      await eventually(async () => (await shown("node-2")) === "healthy", { timeoutMs: 60_000 });
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
      await eventually(async () => (await shown("node-1")) === "unhealthy", { timeoutMs: 60_000 });
      await scene.untilDoctor(/^nodes-reachable warning: node-1 /);
      await scene.untilDoctor(/^members error: node-1 /);
      const looked = await scene.runbook.type("unhealthy-member", "Look", {
        where: { "http://the-node:8080": stopped.url },
      });
      expect(outputOf(looked, /^parallax doctor/)).toMatch(/nodes-reachable +node-1 at \S+ was not reached/);
      expect(looked.at(-1)).toMatchObject({ code: 7, output: "" });
      await scene.untilAlert("ParallaxUnhealthyMember");
      await scene.start(1);
      await eventually(async () => (await shown("node-1")) === "healthy", { timeoutMs: 30_000 });
      await scene.untilDoctor(/^members error/, false);
      await scene.untilAlert("ParallaxUnhealthyMember", false);
    },
    minutes(5),
  );

  it(
    "a node is on another Redis: split brain; drained and started on the right one it is a standby",
    async () => {
      const other = await startRedis();
      const wrong = await scene.start(3, { PARALLAX_REDIS_URL: other.url });
      await eventually(async () => (await leaders(3)).length === 1, {
        timeoutMs: 40_000,
        message: "a second leader",
      });
      await scene.untilDoctor(/^redis-same error: nodes of one cluster use different Redis/);
      await scene.untilDoctor(/^leader error: split brain: node-\d \(term \d+\) and node-3/);
      const where = { "http://the-node:8080": wrong.url };
      const looked = await scene.runbook.type("split-brain", "Look", { where });
      expect(outputOf(looked, /^parallax doctor/)).toMatch(
        /redis-same +nodes of one cluster use different Redis/,
      );
      expect(outputOf(looked, /INFO replication/)).toContain("role:master");
      await scene.untilAlert("ParallaxSplitBrain");
      expect(await scene.query("sum(parallax_ha_is_leader)")).toBe(2);
      const mended = await scene.runbook.type("split-brain", "Nodes on the wrong Redis", { where });
      expect(outputOf(mended, /drain/)).toMatch(/^Draining node-3/);
      expect(outputOf(mended, /config show/)).toMatch(/redis\.url/);
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
      const networks = [0, 1, 2, 3].map((index) => scene.node(index).network);
      for (const network of networks) network.delay(550);
      await scene.untilDoctor(/^redis-latency warning: Redis answers slowly/);
      await scene.untilDoctor(/^sync warning: state sync lag/);
      const looked = await scene.runbook.type("sync-lag", "Look", {
        // From a node's machine, which has a network of its own here.
        where: { "-h redis --latency": `-p ${networks[0]?.port} --latency` },
      });
      expect(outputOf(looked, /^parallax doctor/)).toMatch(/sync +state sync lag/);
      expect(outputOf(looked, /commandstats/)).toMatch(/cmdstat_evalsha/);
      expect(outputOf(looked, /persistence/)).toContain("aof_delayed_fsync");
      expect(await scene.query('max(parallax_ha_sync_latency_seconds{quantile="0.99"})')).toBeGreaterThan(1);
      await scene.untilAlert("ParallaxSyncLag");
      for (const network of networks) network.pass();
      await scene.untilDoctor(/^redis-latency warning/, false);
    },
    minutes(5),
  );

  it(
    "a leader is elected by hand, and by force",
    async () => {
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 60_000 });
      const typed = await scene.runbook.type("no-leader", "Nothing else helps");
      expect(typed.map(({ code }) => code)).toEqual([0, 0]);
      for (const { output } of typed) expect(output).toMatch(/^Old leader: \S+\nNew leader: node-\d\nTook: /);
      // Whoever was deposed claims its term until it hears of it.
      await eventually(async () => (await leaders(0)).length === 1, { timeoutMs: 30_000 });
    },
    minutes(2),
  );
});
