import {
  describeBackend,
  giveLeastRights,
  leastRightsConfig,
  leastUser,
  type RedisFixture,
  startCluster,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { checkRights } from "../src/check-rights.ts";
import type { RedisOptions } from "../src/clients.ts";
import { createConnections } from "../src/connections.ts";

async function check(where: RedisOptions): ReturnType<typeof checkRights> {
  await using connections = createConnections(where);
  return await checkRights(connections.data);
}

describeBackend("redis-standalone", "checking the rights of the user", () => {
  let redis: RedisFixture;
  let url: string;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.send("SET", "parallax:ha:cluster", "production");
  });
  beforeEach(async () => {
    url = await giveLeastRights(redis);
  });
  afterAll(() => redis.stop());

  it("finds nothing where it has those of the guide, and changes nothing", async () => {
    expect(await check({ url })).toEqual([]);
    expect(await redis.send("KEYS", "*")).toEqual(["parallax:ha:cluster"]);
    expect(await redis.send("GET", "parallax:ha:cluster")).toBe("production");
  });

  it("names each right of the guide that it lacks", async () => {
    const rules = (await redis.send("ACL", "LIST")) as string[];
    const [, rule = ""] =
      rules.map((line) => /^user parallax (.*)$/.exec(line) ?? []).find(([, rest]) => rest) ?? [];
    const granted = [...rule.matchAll(/ \+([a-z]+)(?= |$)/g)].map(([, name = ""]) => name);
    // Without these there is no connection to ask on, or the connection itself shows it.
    const apart = ["ping", "info", "wait", "eval", "evalsha", "subscribe", "unsubscribe"];
    const probed = granted.filter((name) => !apart.includes(name));
    expect(probed.length).toBeGreaterThan(25);
    await redis.send("ACL", "SETUSER", leastUser.username, ...probed.map((name) => `-${name}`));
    const [finding, ...others] = await check({ url });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: "error", code: "missing_rights" });
    for (const name of probed.filter((each) => !["set", "hsetnx", "rpush"].includes(each)))
      expect(finding?.message).toContain(`+${name} `);
    for (const name of ["set", "hsetnx", "rpush"]) {
      await giveLeastRights(redis);
      await redis.send("ACL", "SETUSER", leastUser.username, `-${name}`);
      expect((await check({ url }))[0]?.message).toContain(`may not use ${name} on keys`);
    }
  });

  it("finds keys and channels that it may not touch, and scripts that it may not run", async () => {
    await redis.send("ACL", "SETUSER", leastUser.username, "resetkeys", "~other:*");
    expect((await check({ url }))[0]?.message).toContain("may not touch keys that begin with parallax:");
    await giveLeastRights(redis);
    await redis.send("ACL", "SETUSER", leastUser.username, "resetchannels");
    expect((await check({ url }))[0]?.message).toContain("may not use publish on");
    await giveLeastRights(redis);
    await redis.send("ACL", "SETUSER", leastUser.username, "-eval", "-evalsha");
    expect((await check({ url }))[0]?.message).toContain("may not use eval, evalsha on");
  });
});

describeBackend("redis-cluster", "checking the rights of the user", () => {
  it("finds nothing where it has those of the guide", async () => {
    await using cluster = await startCluster({ config: leastRightsConfig({ cluster: true }) });
    const { username, password } = leastUser;
    expect(await check({ ...cluster.where, username, password })).toEqual([]);
  });
});
