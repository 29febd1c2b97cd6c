import { describeBackend, eventually, freePort } from "@parallax/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { clientOf, startAgents, untilEnded } from "./load.ts";
import { type LocalCluster, startCluster } from "./local-cluster.ts";

describeBackend("redis-standalone", "two processes with one node id", () => {
  let cluster: LocalCluster;
  let agents: { stop(): Promise<void> };

  beforeEach(async () => {
    cluster = await startCluster(2);
    agents = await startAgents(3, cluster.urls);
  });
  afterEach(async () => {
    await agents.stop();
    await cluster.stop();
  });

  it("are one too many: the older one ends naming both addresses, and no execution is lost (M6)", async () => {
    const older = cluster.node("parallax-control-plane-0");
    const client = clientOf([older.url]);
    // More than the agents take at once, so that some are under way and some wait when their node ends.
    const accepted = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        client.executions.submit({ pattern: "shout", input: `t${index}` }),
      ),
    );
    const port = await freePort();
    const newer = cluster.launch(older.id, port);
    expect(await older.exited, older.output()).toBe(1);
    const said = older.output();
    expect(said).toContain(new URL(older.url).host);
    expect(said).toContain(`127.0.0.1:${port}`);
    await eventually(async () => (await fetch(`${newer.url}/health/ready`)).ok, { timeoutMs: 20_000 });

    const others = clientOf([newer.url, cluster.node("parallax-control-plane-1").url]);
    for (const [index, { id }] of accepted.entries()) {
      expect(await untilEnded(others, id)).toMatchObject({ status: "completed", result: `T${index}` });
    }
    const { members } = await others.haStatus();
    expect(members.map(({ id, address }) => `${id} ${address}`)).toContain(`${older.id} 127.0.0.1:${port}`);
    expect(members).toHaveLength(2);
  });
});
