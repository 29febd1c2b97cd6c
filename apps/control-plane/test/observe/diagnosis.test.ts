import { clusterDiagnosisSchema } from "@parallax/protocol";
import { describeBackend, eventually, freePort, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { passedOnHeader } from "../../src/observe/cluster-metrics.ts";
import { type LocalNodes, startNodes } from "../support/local-nodes.ts";
import { call, errorOf, exactly } from "../support/requests.ts";

const tokens = [
  { token: "reader-token", role: "api" },
  { token: "agents-token", role: "agent" },
];

describeBackend("redis-standalone", "GET /ha/diagnosis", () => {
  let redis: RedisFixture;
  let nodes: LocalNodes;

  beforeAll(async () => {
    redis = await startRedis();
    const ha = { "highAvailability.enabled": true, "redis.url": redis.url };
    nodes = await startNodes(0, { ...ha, "server.host": "127.0.0.1", "server.auth.tokens": tokens });
    for (const [index, port] of (await Promise.all([freePort(), freePort()])).entries()) {
      const own = { "server.port": port, "node.address": `127.0.0.1:${port}`, "node.zone": `zone-${index}` };
      await nodes.start(`node-${index}`, own);
    }
  });
  afterAll(async () => {
    await nodes.stop();
    await redis.stop();
  });

  const ask = (headers: Readonly<Record<string, string>> = {}) =>
    call(`${nodes.node(1).url}/ha/diagnosis`, { token: "reader-token", headers });

  it("says what the node and the members that it reaches know of themselves", async () => {
    const { body, text } = await ask();
    const { nodes: asked } = exactly(clusterDiagnosisSchema, body);
    expect(asked.map(({ nodeId }) => nodeId)).toEqual(["node-1", "node-0"]);
    for (const { diagnosis } of asked) {
      expect(diagnosis).toMatchObject({ clusterId: "default", haEnabled: true });
      // A busy machine may be noticed by the event loop's check.
      expect(["ready", "degraded"]).toContain(diagnosis?.state);
      expect(diagnosis?.members.map(({ id }) => id)).toEqual(["node-0", "node-1"]);
      expect(diagnosis?.settings["highAvailability.leaderElection.leaseDuration"]).toBe("1.5s");
      expect(diagnosis?.redis).toMatchObject({ mode: "standalone", servers: [{ role: "primary" }] });
      expect(Math.abs(diagnosis?.redis?.clockOffsetMs ?? Number.NaN), "one machine, one clock").toBeLessThan(
        5000,
      );
    }
    expect(text).not.toContain("reader-token");
    await eventually(async () => {
      const now = exactly(clusterDiagnosisSchema, (await ask()).body).nodes;
      return now.filter(({ diagnosis }) => diagnosis?.term !== undefined).length === 1;
    });
  });

  it("answers within seconds while Redis hangs, and says so", async () => {
    redis.pause();
    const { body } = await ask({ [passedOnHeader]: "node-0" });
    redis.resume();
    const [asked] = exactly(clusterDiagnosisSchema, body).nodes;
    expect(asked?.diagnosis?.redis?.error).toMatch(/^looking at Redis took longer than 2000 ms/);
  });

  it("says only what the node itself knows when another node asks", async () => {
    const { body } = await ask({ [passedOnHeader]: "node-0" });
    expect(exactly(clusterDiagnosisSchema, body).nodes.map(({ nodeId }) => nodeId)).toEqual(["node-1"]);
  });

  it("says which member it does not reach, and why", async () => {
    const lost = await nodes.start("node-9", { "node.address": "127.0.0.1:1" });
    const { body } = await ask();
    const found = exactly(clusterDiagnosisSchema, body).nodes.find(({ nodeId }) => nodeId === "node-9");
    expect(found?.error).toMatch(/^asking the node at 127\.0\.0\.1:1: .+; check that it runs/);
    await lost.stop();
  });

  it("is for those who may read", async () => {
    const url = `${nodes.node(1).url}/ha/diagnosis`;
    expect(errorOf(await call(url), 401).code).toBe("unauthorized");
    expect(errorOf(await call(url, { token: "agents-token" }), 403).code).toBe("forbidden");
  });
});
