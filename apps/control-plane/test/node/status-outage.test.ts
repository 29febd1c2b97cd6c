import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type LocalNodes, startNodes } from "../support/local-nodes.ts";

describeBackend("redis-standalone", "the status while Redis hangs", () => {
  let redis: RedisFixture;
  let nodes: LocalNodes;
  beforeEach(async () => {
    redis = await startRedis();
    nodes = await startNodes(2, { "redis.url": redis.url, "highAvailability.enabled": true });
  });
  afterEach(async () => {
    redis.resume();
    await nodes.stop();
    await redis.stop();
  });

  it("shows no leader whose lease has run out, and beats that grow old", async () => {
    const status = () => nodes.client(0).haStatus();
    const leads = ({ role }: { readonly role: string }): boolean => role === "leader";
    await eventually(async () => (await status()).members.some(leads));
    redis.pause();
    const { members, observedAt } = await eventually(async () => {
      const shown = await status();
      return !shown.members.some(leads) && shown;
    });
    expect(members).toHaveLength(2);
    // Its lease of 1.5 s has lapsed, so its last word is older than what was left of it then.
    for (const { lastHeartbeat } of members)
      expect(Date.parse(observedAt) - Date.parse(lastHeartbeat)).toBeGreaterThan(500);
  });
});
