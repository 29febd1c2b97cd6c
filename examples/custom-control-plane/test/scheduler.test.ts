import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { memoryMembershipSpace, memoryMembershipStore } from "@parallax/membership/memory";
import { redisMembershipStore } from "@parallax/membership/redis";
import { memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { bundleScript, describeBackend, eventually, startProcess, startRedis } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { createNode } from "../src/scheduler.ts";

const ids = Array.from({ length: 40 }, (_, index) => `job-${index}`);

describeBackend("memory", "a job scheduler from the packages", () => {
  it("does each job once, on all nodes, also while one of them leaves", async () => {
    const log = memoryEventLogSpace();
    const [lease, members, records] = [
      memoryLeaseSpace(),
      memoryMembershipSpace(),
      memoryRecordSpace({ log }),
    ];
    const runs: string[] = [];
    const nodes = ["a", "b", "c"].map((name) => {
      const stores = [
        memoryLeaseStore(lease),
        memoryMembershipStore(members),
        memoryTopicLog(log),
        memoryRecordBackend(records),
      ] as const;
      const node = createNode(name, stores, async (id) => {
        runs.push(id);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return name;
      });
      const stop = new AbortController();
      return { ...node, stop, ended: node.run(stop.signal) };
    });
    const [first, second, third] = nodes;
    for (const node of nodes) await eventually(() => node.health.snapshot().ready);
    for (const id of ids) await first?.submit(id);
    await eventually(() => runs.length >= ids.length / 2, { timeoutMs: 30_000 });
    third?.stop.abort();
    await third?.ended;
    await eventually(async () => (await second?.results())?.size === ids.length, { timeoutMs: 30_000 });
    expect(runs.toSorted()).toEqual(ids.toSorted());
    expect(new Set((await first?.results())?.values())).toEqual(new Set(["a", "b", "c"]));
    for (const { stop } of nodes) stop.abort();
    await Promise.all(nodes.map(({ ended }) => ended));
  });
});

describeBackend("redis-standalone", "a job scheduler from the packages", () => {
  it("does every job, though the process of one node is killed in the middle of one", async () => {
    const redis = await startRedis();
    const script = await bundleScript(join(import.meta.dirname, "../src/main.ts"));
    const start = (name: string, jobs: number) =>
      startProcess({ script: script.path, args: [name, String(jobs)], env: { REDIS_URL: redis.url } });
    const nodes = [await start("a", 40), await start("b", 0), await start("c", 0)];
    const [a, b, c] = nodes;
    await b?.line(/^b runs /, { timeoutMs: 60_000 });
    await b?.kill();

    const client = redis.client();
    const stores = [
      redisLeaseStore(client),
      redisMembershipStore(client),
      redisTopicLog(client),
      redisRecordBackend(client),
    ] as const;
    const reader = createNode("reader", stores, async () => "");
    await eventually(async () => (await reader.results()).size === ids.length, { timeoutMs: 60_000 });
    const results = await reader.results();
    expect([...results.keys()].toSorted()).toEqual(ids.toSorted());
    // Whatever ran twice was cut off by the death of its node, and counted once.
    const runs = nodes.flatMap(({ lines }) => lines.filter((line) => line.includes(" runs ")));
    const twice = runs
      .map((line) => line.split(" runs ")[1])
      .filter((id, index, all) => all.indexOf(id) !== index);
    for (const id of twice) expect(b?.lines).toContain(`b runs ${id}`);
    expect(twice.length).toBeLessThanOrEqual(1);

    for (const node of [a, c]) {
      expect(await node?.stop()).toMatchObject({ code: 0 });
    }
    await script.remove();
    await redis.stop();
  });
});

describe("its code", () => {
  it("has at most 150 lines, from the packages alone", () => {
    const folder = join(import.meta.dirname, "../src");
    const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
    const lines = sources.reduce((sum, source) => sum + source.trimEnd().split("\n").length, 0);
    expect(lines).toBeLessThanOrEqual(150);
    const imported = sources.flatMap((source) => [...source.matchAll(/from "([^".][^"]*)"/g)]);
    for (const [, name = ""] of imported)
      expect(name).toMatch(/^(?:@parallax\/(?!control-plane)|ioredis$|zod$)/);
  });
});
