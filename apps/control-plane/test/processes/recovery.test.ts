import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeBackend, eventually } from "@parallax/testing";
import { afterEach, expect, it, onTestFailed } from "vitest";
import { deathConfig, deathPatterns, type Ledger, openLedger, slowFunction, slowPattern } from "./ledger.ts";
import { clientOf, startAgents } from "./load.ts";
import { type LocalCluster, startCluster } from "./local-cluster.ts";

describeBackend("redis-standalone", "executions of nodes that died, recovered", () => {
  let cluster: LocalCluster;
  let ledger: Ledger;
  const agents: { stop(): Promise<void> }[] = [];

  async function begin(count: number, config: string): Promise<void> {
    cluster = await startCluster(count, { config, patterns: deathPatterns });
    ledger = await openLedger(cluster.redis.url);
    onTestFailed(() => {
      for (const node of cluster.nodes) console.log(node.output().split("\n").slice(-40).join("\n"));
    });
  }
  afterEach(async () => {
    ledger?.close();
    await Promise.all(agents.splice(0).map((each) => each.stop()));
    await cluster?.stop();
  });

  async function agentsOf(capability: string): Promise<void> {
    const { handler } = ledger;
    agents.push(await startAgents(3, cluster.urls, { capability, slots: 100, handler }));
  }

  it("as far as the others have room, and by the next leader when the leader dies amid it", async () => {
    await begin(3, `${deathConfig}executions: { maxOpen: 40 }\n`);
    const leader = await cluster.leader();
    const [dying, other] = cluster.nodes.filter(({ id }) => id !== leader.id);
    if (!dying || !other) throw new Error("there should be three nodes");
    const client = clientOf([other.url]);
    await ledger.submit(dying.url, "coming", 40);
    for (const { url } of [leader, other]) await ledger.submit(url, "coming", 25);
    const left = async (): Promise<number> =>
      (await client.executions.list({ node: dying.id, limit: 100 })).executions.length;
    dying.kill("SIGKILL");
    await eventually(async () => (await left()) < 40, { message: "the first round", timeoutMs: 30_000 });
    leader.kill("SIGKILL");
    expect(await left(), "what the first round had no room for").toBe(10);
    await agentsOf("coming");
    await ledger.settle([other.url]);
  }, 180_000);

  it("by the only node after its restart, without high availability, also under another id", async () => {
    const config = deathConfig.replace("enabled: true", "enabled: false");
    await begin(1, config);
    await agentsOf("working");
    const first = cluster.node("parallax-control-plane-0");
    const release = ledger.hold();
    const held = await ledger.submit(first.url, "held", 15);
    await ledger.submit(first.url, "coming", 15);
    await ledger.begun(held, 45);
    first.kill("SIGKILL");
    await first.exited;
    const second = await cluster.start(first.id);
    second.kill("SIGKILL");
    await second.exited;
    // The next one is another machine, and answers where the first did.
    const third = cluster.launch("another-id", Number(new URL(first.url).port));
    await eventually(async () => (await fetch(`${third.url}/health/ready`)).ok, { timeoutMs: 30_000 });
    release();
    agents.push(
      await startAgents(1, [third.url], { capability: "coming", slots: 100, handler: ledger.handler }),
    );
    await ledger.settle([third.url]);
  }, 180_000);

  it("and handed on to the node that has the function that they wait for (X9)", async () => {
    await begin(2, deathConfig);
    await agentsOf("working");
    const without = cluster.node("parallax-control-plane-0");
    await writeFile(join(cluster.patterns, "slow.js"), slowFunction);
    const { id } = cluster.node("parallax-control-plane-1");
    cluster.node(id).kill("SIGKILL");
    await cluster.node(id).exited;
    const having = await cluster.start(id);
    await clientOf([having.url]).patterns.put(slowPattern);
    const client = clientOf([without.url]);
    const submitted = await eventually(() => ledger.submit(without.url, "slow", 5), {
      message: "the node with the function to be known",
    });
    const [first = ""] = submitted;
    const stands = async (): Promise<string> => {
      const { status, nodeId } = await client.executions.get(first);
      return `${status} ${nodeId}`;
    };
    await eventually(async () => (await stands()) === `aggregating ${having.id}`);
    having.kill("SIGKILL");
    await eventually(async () => (await stands()) === `aggregating ${without.id}`, { timeoutMs: 30_000 });
    await cluster.start(having.id);
    await ledger.settle(cluster.urls);
    expect(await stands()).toBe(`completed ${having.id}`);
  }, 180_000);
});
