import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@parallax/client";
import { describeBackend, eventually, startSentinel } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Scene, setScene } from "./scene.ts";

const minutes = (count: number): number => count * 60_000;

async function untilLed(scene: Scene): Promise<void> {
  const isLed = async (): Promise<boolean> => {
    const { members } = await scene.status(scene.node(0).url);
    return members.filter(({ role }) => role === "leader").length === 1;
  };
  await eventually(isLed, { timeoutMs: 60_000, message: "one leader" });
}

/** What the pages say about the upkeep of a cluster, typed as it is written. Run by `pnpm on-call`. */
describeBackend("redis-standalone", "upkeep", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await setScene();
    await untilLed(scene);
  }, 120_000);
  afterAll(() => scene?.stop());

  it(
    "scaling: one node more, and one fewer",
    async () => {
      const { port, origin } = new URL(scene.urls[4] ?? "");
      const where = {
        "redis://redis:6379": scene.redis.url,
        // Another machine, which has a name and a port of its own.
        "--node-id node-3": `--node-id node-3 --port ${port} --address 127.0.0.1:${port}`,
      };
      const more = await scene.runbook.type("scaling", "More nodes", {
        where,
        inBackground: /parallax start/,
      });
      const watched = more.find(({ command }) => command.includes("--watch"));
      expect(watched?.output).toMatch(/node-3 +healthy +standby/);
      const fewer = await scene.runbook.type("scaling", "Fewer");
      expect(fewer[0]?.output).toMatch(/^Draining node-3/);
      await eventually(
        () =>
          fetch(origin).then(
            () => false,
            () => true,
          ),
        { timeoutMs: 30_000 },
      );
      const { members } = await scene.status(scene.node(0).url);
      expect(members.map(({ id }) => id)).not.toContain("node-3");
    },
    minutes(2),
  );

  it(
    "sizing: the memory of Redis, and of one execution",
    async () => {
      const listed = await scene.runbook.run("parallax executions --status completed --limit 1 --json");
      const [, id = "none"] = /"(exec_\w+)"/.exec(listed.output) ?? [];
      const typed = await scene.runbook.type("sizing", "Memory of Redis", { where: { "exec_…": id } });
      expect(typed[0]?.output).toMatch(/used_memory_human:\S+/);
      expect(Number(typed[1]?.output)).toBeGreaterThan(500);
    },
    minutes(1),
  );

  it(
    "tokens: added, moved to, removed, without an outage",
    async () => {
      const file = join(scene.directory, "tokens");
      await writeFile(file, "agent:old-token-of-agents\nadmin:token-of-the-operator\n");
      const node = await scene.start(3, {
        PARALLAX_API_TOKEN_FILE: file,
        PARALLAX_HA_ENABLED: "false",
        PARALLAX_REDIS_URL: "",
      });
      const where = { "/run/secrets/parallax-tokens": file, "http://node-0:8080": node.url };
      await scene.runbook.run("old=old-token-of-agents");
      await scene.runbook.type("tokens", "Make", { where });
      const status = async (): Promise<string | undefined> =>
        (await scene.runbook.type("tokens", "Move", { where }))[0]?.output;
      expect(await status()).toBe("401");
      await scene.runbook.type("tokens", "Add", { where });
      await eventually(async () => (await status()) === "403", { timeoutMs: 20_000, everyMs: 500 });
      await scene.runbook.type("tokens", "Remove", { where });
      expect(await readFile(file, "utf8")).toMatch(/^admin:token-of-the-operator\nagent:[0-9a-f]{48}\n$/);
      const asOld = { headers: { Authorization: "Bearer old-token-of-agents" } };
      const answered = async (): Promise<number> => (await fetch(`${node.url}/ha/diagnosis`, asOld)).status;
      await eventually(async () => (await answered()) === 401, { timeoutMs: 20_000, everyMs: 500 });
      expect(await status(), "the new one goes on").toBe("403");
      node.kill("SIGTERM");
      await node.exited;
    },
    minutes(2),
  );

  it(
    "data loss: what is under way goes on, and patterns are there again",
    async () => {
      await scene.redis.restart({ keepData: false });
      await untilLed(scene);
      const client = createClient({ url: scene.urls.slice(0, 3) });
      await eventually(async () => (await client.patterns.list()).some(({ name }) => name === "shout"), {
        timeoutMs: 30_000,
        message: "the pattern of the directory",
      });
      const typed = await scene.runbook.type("data-loss", "What to do");
      const [doctor, status, put, executions] = typed;
      expect(doctor?.output).not.toMatch(/ERROR/);
      expect(status?.output).toMatch(/^Leader: node-\d$/m);
      expect(put?.output).toBe("put-patterns/whisper.json");
      expect(executions?.code).toBe(0);
      for (const pattern of ["shout", "whisper"])
        expect(await client.executions.run({ pattern, input: "again" })).toMatchObject({ result: "AGAIN" });
    },
    minutes(2),
  );
});

describeBackend("redis-sentinel", "upkeep", () => {
  it(
    "a fail-over of Redis is rehearsed",
    async () => {
      await using sentinels = await startSentinel({ downAfterMs: 5000 });
      const scene = await setScene(sentinels);
      try {
        await untilLed(scene);
        const [first] = sentinels.sentinels;
        const where = { "-h sentinel -p 26379": `-p ${first?.port}` };
        const before = await sentinels.primary();
        const looked = await scene.runbook.type("redis-failover", "With Sentinel", { where });
        expect(looked[0]?.output).toContain(String(before.port));
        expect(looked[1]?.output).toMatch(/^OK 3 usable Sentinels/);
        const rehearsed = await scene.runbook.type("redis-failover", "Rehearse it", { where });
        expect(rehearsed[0]?.output).toBe("OK");
        await eventually(async () => (await sentinels.primary()).port !== before.port, { timeoutMs: 60_000 });
        await untilLed(scene);
        await scene.untilDoctor(/^(redis-reachable|leader) error/, false);
        const client = createClient({ url: scene.urls.slice(0, 3) });
        expect(await client.executions.run({ pattern: "shout", input: "on" })).toMatchObject({
          result: "ON",
        });
      } finally {
        await scene.stop();
      }
    },
    minutes(4),
  );
});
