import { join } from "node:path";
import { bundleScript, describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../src/postgres.ts";
import { acceptFence, createTables } from "../src/report.ts";
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

  it("acceptFence: a later leader waits for a transaction that was begun, and nothing of an earlier one comes after", async () => {
    const [early, late] = [new Client(postgres.url), new Client(postgres.url)];
    await Promise.all([early.connect(), late.connect()]);
    await early.query("DROP TABLE IF EXISTS fence, unfenced, fenced");
    await early.query(createTables);
    await early.query("BEGIN");
    expect(await acceptFence(early, "report", 5)).toBe(true);
    const order: string[] = [];
    const accepting = acceptFence(late, "report", 6).then((isAccepted) => order.push(`late ${isAccepted}`));
    await early.query("UPDATE unfenced SET body = 'early'");
    order.push("early");
    await early.query("COMMIT");
    await accepting;
    expect(order).toEqual(["early", "late true"]);
    expect(await acceptFence(early, "report", 5)).toBe(false);
    expect(await acceptFence(late, "report", 6)).toBe(true);
    expect(await acceptFence(early, "another", 5)).toBe(true);
    await Promise.all([early.end(), late.end()]);
  });
});
