import { join } from "node:path";
import { bundleScript, describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../src/postgres.ts";
import { tour } from "../src/tour.ts";

describeBackend("redis-standalone", "fenced write", () => {
  let redis: RedisFixture;
  let postgres: Postgres;
  beforeAll(async () => {
    [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  });
  afterAll(async () => {
    await redis.stop();
    await postgres.stop();
  });

  it("a leader that was paused between check and write is refused by the fence, and only by the fence", async () => {
    const node = await bundleScript(join(import.meta.dirname, "../src/node.ts"));
    const said: string[] = [];
    const { unfenced, fenced } = await tour({
      redisUrl: redis.url,
      postgresUrl: postgres.url,
      nodeScript: node.path,
      say: (line) => said.push(line),
    });
    expect(unfenced).toBe("written by node-0");
    expect(fenced).toBe("written by node-1");
    expect(said.at(-1)).toContain("node-0 was refused");
    await node.remove();
  });
});
