import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTemporaryDirectory, describeBackend, eventually, startRedis } from "@parallax/testing";
import { expect, it } from "vitest";
import { startNodes, workPattern } from "../support/local-nodes.ts";

describeBackend("redis-standalone", "a store that has lost everything", () => {
  it("has its cluster's name, the patterns of the directory and the sessions of agents again, and goes on", async () => {
    await using redis = await startRedis();
    const directory = await createTemporaryDirectory("patterns");
    await writeFile(join(directory.path, "one.yaml"), JSON.stringify(workPattern("one")));
    const nodes = await startNodes(1, {
      "redis.url": redis.url,
      "patterns.directory": directory.path,
      "highAvailability.enabled": true,
    });
    try {
      await nodes.agent({ at: 0, handler: async () => ({ result: "done" }) });
      const client = nodes.client(0);
      expect(await client.executions.run({ pattern: "one" })).toMatchObject({ result: "done" });
      await redis.send("FLUSHALL");
      // Or else a node of another cluster would take these keys for free, and join.
      await eventually(async () => (await redis.send("GET", "parallax:ha:cluster")) === "default", {
        timeoutMs: 30_000,
      });
      await eventually(async () => (await client.patterns.list()).length === 1, { timeoutMs: 30_000 });
      await eventually(async () => (await client.agents.list()).agents.length === 1, { timeoutMs: 30_000 });
      expect(await client.executions.run({ pattern: "one" })).toMatchObject({ result: "done" });
    } finally {
      await nodes.stop();
      await directory.remove();
    }
  });
});
