import { describeBackend, eventually } from "@parallax/testing";
import { afterAll, beforeAll, beforeEach, expect, it, onTestFailed } from "vitest";
import { deathConfig, deathPatterns, type Ledger, openLedger, slowFunction, slowPattern } from "./ledger.ts";
import { clientOf, startAgents, untilEnded } from "./load.ts";
import { type LocalCluster, type NodeProcess, startCluster } from "./local-cluster.ts";

const ids = [0, 1, 2].map((index) => `parallax-control-plane-${index}`);

/** Every row of the table of states in docs/executions.md, and every way in which a node goes, with real processes. */
describeBackend("redis-standalone", "executions whose node goes", () => {
  let cluster: LocalCluster;
  let ledger: Ledger;
  let urls: readonly string[];
  const agents: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    const patterns = { ...deathPatterns, "slow.yaml": JSON.stringify(slowPattern), "slow.js": slowFunction };
    cluster = await startCluster(3, { config: deathConfig, patterns });
    ({ urls } = cluster);
    ledger = await openLedger(cluster.redis.url);
    const { handler } = ledger;
    agents.push(await startAgents(6, urls, { capability: "working", slots: 100, handler }));
  }, 180_000);
  afterAll(async () => {
    ledger?.close();
    await Promise.all(agents.map((each) => each.stop()));
    await cluster?.stop();
  });

  beforeEach(async () => {
    onTestFailed(() => {
      for (const id of ids) console.log(cluster.node(id).output().split("\n").slice(-40).join("\n"));
    });
    await Promise.all(ids.filter((id) => !cluster.node(id).isRunning()).map((id) => cluster.start(id)));
  }, 180_000);

  const standby = async (): Promise<NodeProcess> => {
    const leader = await cluster.leader();
    return cluster.node(ids.find((id) => id !== leader.id) ?? "");
  };
  const kill = async (...nodes: NodeProcess[]): Promise<void> => {
    for (const node of nodes) node.kill("SIGKILL");
    await Promise.all(nodes.map(({ exited }) => exited));
  };
  /** Executions of a node that agents work on, and as many that no agent is there for. */
  async function open(
    ...nodes: NodeProcess[]
  ): Promise<{ held: string[]; waiting: string[]; release(): void }> {
    const release = ledger.hold();
    const held: string[] = [];
    const waiting: string[] = [];
    for (const { url } of nodes) {
      held.push(...(await ledger.submit(url, "held", 15)));
      waiting.push(...(await ledger.submit(url, "coming", 15)));
    }
    await ledger.begun(held, 3 * held.length);
    return { held, waiting, release };
  }
  /** Brings the agents that nobody was there for, and waits until all that was accepted has ended well. */
  async function settle(): Promise<void> {
    const late = await startAgents(2, urls, { capability: "coming", slots: 100, handler: ledger.handler });
    await ledger.settle(cluster.urls).finally(late.stop);
  }
  const adoptions = async (id: string): Promise<number> =>
    Number(await cluster.redis.send("HGET", `parallax:execution:${id}`, "adoptions"));

  it("go on from the state that they are in, when it is killed", async () => {
    const node = await standby();
    const client = clientOf(urls.filter((url) => url !== node.url));
    const [done = ""] = await ledger.submit(node.url, "held", 1);
    const failed = await clientOf([node.url]).executions.submit({ pattern: "broken", input: 1 });
    const before = [await untilEnded(client, done), await untilEnded(client, failed.id)];
    expect(before.map(({ status, error }) => error?.code ?? status)).toEqual(["completed", "not_a_number"]);

    const { held, waiting, release } = await open(node);
    const aggregating = await ledger.submit(node.url, "slow", 2);
    const status = async (id: string): Promise<string> => (await client.executions.get(id)).status;
    await eventually(async () => (await status(aggregating[0] ?? "")) === "aggregating");
    await kill(node);
    expect(await status(held[0] ?? "")).toBe("running");
    expect(await status(waiting[0] ?? "")).toBe("pending");
    expect(await status(aggregating[0] ?? "")).toBe("aggregating");
    // They answer while nobody owns what they work on, wherever they are connected.
    release();
    await settle();
    expect(await adoptions(held[0] ?? "")).toBe(1);
    expect(await adoptions(waiting[0] ?? ""), "it has cost no node its life").toBe(0);
    for (const each of before) expect(await client.executions.get(each.id)).toEqual(each);
  }, 180_000);

  it("go on when it is killed and comes back at once under its id", async () => {
    const node = await standby();
    const { release } = await open(node);
    await kill(node);
    await cluster.start(node.id);
    release();
    await settle();
  }, 180_000);

  it("are handed over when it drains, which counts as no death", async () => {
    const node = await standby();
    const { held, waiting, release } = await open(node);
    node.kill("SIGTERM");
    expect(await node.exited, node.output()).toBe(0);
    const client = clientOf(cluster.urls);
    for (const id of [...held, ...waiting])
      expect((await client.executions.get(id)).nodeId, "its new owner").not.toBe(node.id);
    release();
    await settle();
    for (const id of held) expect(await adoptions(id)).toBe(0);
  }, 180_000);

  it("go on when it dies together with the leader", async () => {
    const nodes = [await standby(), await cluster.leader()];
    const { release } = await open(...nodes);
    await kill(...nodes);
    release();
    await settle();
  }, 180_000);

  it("go on when all nodes die and come back", async () => {
    const { release } = await open(...ids.map(cluster.node));
    await kill(...ids.map(cluster.node));
    release();
    await Promise.all(ids.map((id) => cluster.start(id)));
    await settle();
  }, 180_000);
});
