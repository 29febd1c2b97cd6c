import { describeBackend, eventually } from "@parallax/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hello, openSocket, type RawAgent } from "../support/sockets.ts";
import { type LocalCluster, type NodeProcess, startCluster } from "./local-cluster.ts";

describeBackend("redis-standalone", "a process that is told to stop", () => {
  let cluster: LocalCluster;
  let node: NodeProcess;
  /** Does not go when it is told to, so that the drain takes a while. */
  let stubborn: RawAgent;

  beforeEach(async () => {
    cluster = await startCluster(1);
    node = cluster.node("parallax-control-plane-0");
    stubborn = await openSocket(node.url);
    stubborn.send(hello());
    await stubborn.next("welcome");
  });
  afterEach(async () => {
    stubborn.close();
    await cluster.stop();
  });

  it("tells its agents to go, closes those that stay with 1012, and ends well", async () => {
    node.kill("SIGTERM");
    expect(await stubborn.next("drain")).toMatchObject({ reconnectAfterMs: expect.any(Number) });
    expect(await stubborn.closed).toBe(1012);
    expect(await node.exited, node.output()).toBe(0);
  });

  it("ends at once when it is told a second time", async () => {
    node.kill("SIGTERM");
    await stubborn.next("drain");
    node.kill("SIGTERM");
    expect(await node.exited, node.output()).toBe(1);
    expect(node.output()).not.toContain('"drained"');
    expect(await stubborn.closed).toBe(1006);
  });

  it("ends in its time though Redis does not answer", async () => {
    const hurried = await cluster.start("parallax-control-plane-1", { PARALLAX_DRAIN_TIMEOUT: "2s" });
    cluster.redis.pause();
    hurried.kill("SIGTERM");
    await eventually(() => hurried.output().includes("draining"));
    await hurried.exited;
    cluster.redis.resume();
  });
});
