import {
  createConnections,
  createKeySpace,
  defineScript,
  eventLogKeys,
  type KeySpace,
  type RedisConnections,
  type RedisOptions,
  serverIdentityLua,
} from "@parallax/redis";
import { eventually } from "@parallax/testing";
import type { MembershipBackend } from "../../src/conformance.ts";
import { redisMembershipStore } from "../../src/redis.ts";

export interface RedisBackendOptions {
  readonly where: RedisOptions;
  /** Replicas that acknowledge each write, so that a fail-over takes none back. */
  readonly replicas?: number;
  /** Gives the server of the members, whose key is passed, another lineage with its data. */
  readonly failOver: (key: string) => Promise<unknown>;
}

const lineageScript = defineScript({
  name: "test.lineage",
  // A write, so that only a primary answers.
  lua: `redis.call('PERSIST', KEYS[1]) ${serverIdentityLua} return (server_identity())`,
});

let prefixes = 0;

/** A key space that no other test of this file uses. */
export function freshKeySpace({ mode }: Pick<RedisConnections, "mode">): KeySpace {
  prefixes += 1;
  return createKeySpace({ prefix: `t${prefixes}:`, cluster: mode === "cluster" });
}

/** Members under a prefix of their own, on connections of their own. */
export async function redisBackend(options: RedisBackendOptions): Promise<MembershipBackend> {
  const { where, replicas = 0, failOver } = options;
  const connections = createConnections(where);
  const keySpace = freshKeySpace(connections);
  const members = keySpace.coordination("ha:members");
  await connections.lease.ready();

  /** The store's clock. On Cluster only a script goes to the node of a key, but all run on this machine. */
  async function nowMs(): Promise<number> {
    const [seconds, micros] = listOf(await connections.data.command("TIME", []));
    return Number(seconds) * 1000 + Number(micros) / 1000;
  }

  /** Of the server that runs the store's scripts. */
  async function lineage(): Promise<unknown> {
    const { reply } = await connections.lease.run(lineageScript, [members], []);
    return reply;
  }

  return {
    open: () => redisMembershipStore(connections, { keySpace, eventTopic: "cluster", replicas }),
    async pass(ms) {
      const untilMs = (await nowMs()) + ms;
      await eventually(async () => (await nowMs()) >= untilMs, { everyMs: 2 });
    },
    async flush() {
      for (const name of ["members", "reports", "beats", "view", "view:log", "ended", "ended:why"]) {
        await connections.data.command("DEL", [keySpace.coordination(`ha:${name}`)]);
      }
    },
    async failOver() {
      const before = await lineage();
      await failOver(members);
      // Until it is demoted the old primary still answers whoever is connected to it.
      await eventually(async () => (await lineage()) !== before, { timeoutMs: 20_000 });
    },
    async events() {
      const { log } = eventLogKeys(keySpace, "cluster", "coordination");
      const entries = listOf(await connections.data.command("XRANGE", [log, "-", "+"]));
      return entries.map((entry) => {
        const fields = listOf(listOf(entry)[1]);
        return JSON.parse(String(fields[fields.indexOf("event") + 1]));
      });
    },
    [Symbol.asyncDispose]: () => connections.close(),
  };
}

function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error(`not a list: ${String(reply)}`);
}
