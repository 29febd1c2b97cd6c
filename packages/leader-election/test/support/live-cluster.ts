import { createConnections, createKeySpace, type RedisOptions } from "@parallax/redis";
import { createElection, type Election, type ElectionOptions, electionPresets } from "../../src/index.ts";
import { redisLeaseStore } from "../../src/redis.ts";

export interface LiveNode {
  readonly id: string;
  readonly election: Election;
  readonly tokens: readonly number[];
  /** The lineage of the store changed under a term of this node. */
  readonly storeChanges: readonly number[];
}

export interface LiveCluster {
  readonly nodes: readonly LiveNode[];
  leaders(): LiveNode[];
  /** How often more than one term was valid at a look, which is taken every few milliseconds. */
  readonly overlaps: number;
  stop(): Promise<void>;
}

/** Elections in real time on a real Redis, each with connections of its own. */
export function startLiveCluster(
  where: RedisOptions,
  count: number,
  options: Partial<ElectionOptions> = {},
): LiveCluster {
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  const connections = Array.from({ length: count }, () => createConnections(where));
  const nodes = connections.map((own, index): LiveNode => {
    const id = `n${index}`;
    const keySpace = createKeySpace({ prefix: "live:", cluster: own.mode === "cluster" });
    const store = redisLeaseStore(own, { keySpace, eventTopic: "cluster" });
    const election = createElection({ store, nodeId: id, ...electionPresets.fast, ...options });
    const tokens: number[] = [];
    const storeChanges: number[] = [];
    election.subscribe((event) => {
      if (event.type === "elected") tokens.push(event.term);
      if (event.type === "store-changed") storeChanges.push(event.term);
    });
    const work = (term: { readonly signal: AbortSignal }): Promise<void> =>
      new Promise((resolve) => term.signal.addEventListener("abort", () => resolve(), { once: true }));
    running.push(election.run(work, { signal: stop.signal }));
    return { id, election, tokens, storeChanges };
  });
  const leaders = (): LiveNode[] => nodes.filter(({ election }) => election.term());
  let overlaps = 0;
  const watch = setInterval(() => {
    if (leaders().length > 1) overlaps += 1;
  }, 5);
  return {
    nodes,
    leaders,
    get overlaps() {
      return overlaps;
    },
    async stop() {
      stop.abort();
      await Promise.all(running);
      clearInterval(watch);
      for (const own of connections) await own.close();
    },
  };
}
