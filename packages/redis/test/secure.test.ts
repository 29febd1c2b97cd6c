import { readFile } from "node:fs/promises";
import {
  type Certificates,
  createCertificates,
  describeBackend,
  eventually,
  freePort,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RedisTlsOptions } from "../src/clients.ts";
import { createConnections } from "../src/connections.ts";
import { defineScript } from "../src/script.ts";

const text = (file: string): Promise<string> => readFile(file, "utf8");
const script = defineScript({ name: "test.write", lua: "return redis.call('INCR', KEYS[1])" });

let certificates: Certificates;
let redis: RedisFixture;
let tlsUrl: string;
let tls: Required<Pick<RedisTlsOptions, "ca" | "cert" | "key">>;

beforeAll(async () => {
  certificates = await createCertificates();
  const tlsPort = await freePort();
  tlsUrl = `rediss://localhost:${tlsPort}`;
  redis = await startRedis({ config: certificates.redisConfig(tlsPort) });
  const { caFile, certFile, keyFile } = certificates;
  const [ca, cert, key] = await Promise.all([text(caFile), text(certFile), text(keyFile)]);
  tls = { ca, cert, key };
});
afterAll(async () => {
  await redis.stop();
  await certificates.remove();
});

describeBackend("redis-standalone", "TLS", () => {
  it("works with an authority of one's own and a certificate of the client", async () => {
    await using connections = createConnections({ url: tlsUrl, tls });
    expect((await connections.data.run(script, ["count"], [])).reply).toBe(1);
  });

  it("is turned on by its options alone, whatever the URL", async () => {
    await using connections = createConnections({ url: tlsUrl.replace("rediss", "redis"), tls });
    expect(await connections.data.command("PING", [])).toBe("PONG");
  });

  it.each<[string, RedisTlsOptions, RegExp]>([
    ["whose authority is unknown", {}, /self-signed|unable to verify|unable to get/],
    ["that has another name", { servername: "other.example" }, /other\.example|altnames/],
  ])("refuses a server %s, and says why", async (_, wrong, message) => {
    const { ca, ...client } = tls;
    const trusted = Object.keys(wrong).length === 0 ? client : { ...client, ca, ...wrong };
    await using connections = createConnections({ url: tlsUrl, tls: trusted });
    await expect(connections.data.ready({ timeoutMs: 300 })).rejects.toMatchObject({
      code: "redis_unavailable",
      message: expect.stringMatching(message),
    });
  });
});

describeBackend("redis-standalone", "an ACL user", () => {
  it("is known by its name and password, from the URL or from options", async () => {
    await redis.send("ACL", "SETUSER", "ann", "on", ">p@ss:w/ord", "~count", "&*", "+@all");
    const url = redis.url.replace("redis://", "redis://ann:p%40ss%3Aw%2Ford@");
    for (const where of [{ url }, { url: redis.url, username: "ann", password: "p@ss:w/ord" }]) {
      await using connections = createConnections(where);
      expect(await connections.data.command("ACL", ["WHOAMI"])).toBe("ann");
      await expect(connections.data.run(script, ["forbidden"], [])).rejects.toMatchObject({
        code: "redis_reply",
        message: expect.stringMatching(/NOPERM|permission/),
      });
    }
  });

  it("with a wrong password, or none, is told so at once and without it, and gets through once it is right", async () => {
    await redis.send("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all");
    await using connections = createConnections({ url: redis.url, username: "bob", password: "guessed" });
    const error = await connections.data.ready({ timeoutMs: 60_000 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "redis_auth", message: expect.stringMatching(/WRONGPASS/) });
    expect(String(error)).not.toContain("guessed");
    // Who only wants a command done learns that there is no connection.
    const call = connections.data.command("PING", [], { deadlineMs: 100 });
    await expect(call).rejects.toMatchObject({ code: "redis_unavailable" });
    await redis.send("ACL", "SETUSER", "bob", ">guessed");
    expect(await connections.data.command("PING", [], { deadlineMs: 20_000 })).toBe("PONG");
  });

  it("that may not listen is told so, again and again but not in a storm", async () => {
    await redis.send("ACL", "SETUSER", "deaf", "on", ">x", "~*", "resetchannels", "+@all");
    const errors: unknown[] = [];
    await using connections = createConnections(
      { url: redis.url, username: "deaf", password: "x" },
      { onError: (error) => errors.push(error), random: { next: () => 0.5 } },
    );
    let ready = 0;
    const startedMs = performance.now();
    connections.subscriber.listen(
      ["news"],
      () => {},
      () => {
        ready += 1;
      },
    );
    await eventually(() => errors.length >= 8);
    // The first again at once, and then later and later.
    expect([performance.now() - startedMs > 200, ready]).toEqual([true, 0]);
    expect(String(errors[0])).toMatch(/NOPERM/);
  });
});
