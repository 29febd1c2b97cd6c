import { noopLogger } from "@parallax/core";
import {
  type Certificates,
  createCertificates,
  describeBackend,
  freePort,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { redisBackends } from "../src/backends.ts";
import { load } from "./support/config-file.ts";

describeBackend("redis-standalone", "the backends of a node", () => {
  let certificates: Certificates;
  let redis: RedisFixture;
  let tlsPort: number;
  beforeAll(async () => {
    certificates = await createCertificates();
    tlsPort = await freePort();
    redis = await startRedis({ config: certificates.redisConfig(tlsPort) });
    await redis.send("ACL", "SETUSER", "ann", "on", ">secret", "~*", "&*", "+@all");
  });
  afterAll(async () => {
    await redis.stop();
    await certificates.remove();
  });

  it("reach Redis over TLS and as a user, by files and names in the configuration", async () => {
    const { caFile, certFile, keyFile } = certificates;
    const { config } = load(
      [
        `redis:`,
        `  url: rediss://localhost:${tlsPort}`,
        `  username: ann`,
        `  password: secret`,
        `  tls: { caFile: ${caFile}, certFile: ${certFile}, keyFile: ${keyFile} }`,
      ].join("\n"),
    );
    const backends = redisBackends(config, noopLogger, () => {});
    await backends.claim("tested");
    expect(await redis.send("GET", "parallax:ha:cluster")).toBe("tested");
    expect(await backends.redis?.data.command("ACL", ["WHOAMI"])).toBe("ann");
    await backends.close();
  });

  it.each([
    ["another version's", () => redis.send("SET", "parallax:ha:layout", "99"), /layout 99 is there/],
    [
      "one from before layouts had numbers",
      () => redis.send("DEL", "parallax:ha:layout"),
      /layout 1 is there/,
    ],
  ])("refuse keys of another layout, %s, and go back to what is theirs", async (_, change, message) => {
    const { config } = load(`redis: { url: "${redis.url}" }`);
    const backends = redisBackends(config, noopLogger, () => {});
    await redis.send("FLUSHALL");
    await backends.claim("tested");
    await backends.claim("tested");
    const layout = await redis.send("GET", "parallax:ha:layout");
    await change();
    await expect(backends.claim("tested")).rejects.toMatchObject({
      code: "wrong_layout",
      message: expect.stringMatching(message),
    });
    await redis.send("SET", "parallax:ha:layout", String(layout));
    await backends.claim("tested");
    await backends.close();
  });

  it("give a call about the lease no more than half of the renew deadline", async () => {
    const { config } = load(
      `redis: { url: "${redis.url}" }\nhighAvailability: { leaderElection: { leaseDuration: 600ms } }`,
    );
    const backends = redisBackends(config, noopLogger, () => {});
    await backends.redis?.lease.ready();
    redis.pause();
    const askedAtMs = performance.now();
    await expect(backends.redis?.lease.command("PING", [])).rejects.toMatchObject({ code: "timeout" });
    // Half of 400 ms; by default it would be 3 s.
    expect(performance.now() - askedAtMs).toBeLessThan(2500);
    redis.resume();
    await backends.close();
  });
});
