import { ParallaxAgent } from "@parallax/agent";
import { describeBackend, eventually } from "@parallax/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hello, openSocket, sendRaw, upgradeLines } from "../support/sockets.ts";
import { type LocalCluster, startCluster } from "./local-cluster.ts";

describeBackend("redis-standalone", "agents while Redis is away (B13)", () => {
  let cluster: LocalCluster;
  beforeEach(async () => {
    cluster = await startCluster(1);
  });
  afterEach(() => cluster.stop());

  it("keep their connections, and who comes is told to come back, which counts as no failure", async () => {
    const [url = ""] = cluster.urls;
    const connected = await openSocket(url);
    connected.send(hello());
    await connected.next("welcome");
    let isCut = false;
    void connected.closed.then(() => {
      isCut = true;
    });
    await cluster.redis.kill();
    const refused = await eventually(async () => {
      const answer = await sendRaw(url, upgradeLines());
      return answer.status === 503 && answer;
    });
    expect(refused.body).toMatchObject({ error: { code: "not_ready" } });
    expect(refused.text).toMatch(/^Retry-After: \d+\r$/m);

    // It may not fail even once.
    const agent = new ParallaxAgent({ controlPlaneUrl: url, reconnect: { maxRetries: 0 } });
    agent.onTask("work", async () => ({ result: 1 }));
    const waits: number[] = [];
    agent.on("reconnecting", ({ retry }) => void waits.push(retry));
    const started = agent.start();
    await eventually(() => waits.length > 0);
    await cluster.redis.restart();
    await started;
    expect(waits.every((retry) => retry === 0)).toBe(true);
    expect(isCut).toBe(false);
    await agent.stop({ timeout: 0 });
    connected.close();
  });
});
