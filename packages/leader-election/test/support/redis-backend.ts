import { setTimeout as sleep } from "node:timers/promises";
import {
  createConnections,
  createKeySpace,
  eventLogKeys,
  type KeySpace,
  type RedisConnections,
  type RedisOptions,
} from "@parallax/redis";
import { eventually } from "@parallax/testing";
import type { LeaseBackend } from "../../src/conformance.ts";
import { redisLeaseStore } from "../../src/redis.ts";

export interface RedisBackendOptions {
  readonly where: RedisOptions;
  /** A new process: `restart` of a fixture. */
  readonly restart?: () => Promise<void>;
}

let prefixes = 0;

/** A lease under a prefix of its own, on connections of its own. */
export async function redisBackend({ where, restart }: RedisBackendOptions): Promise<LeaseBackend> {
  prefixes += 1;
  const connections = createConnections(where);
  const keySpace = createKeySpace({ prefix: `t${prefixes}:`, cluster: connections.mode === "cluster" });
  await connections.lease.ready();
  return {
    open: () => redisLeaseStore(connections, { keySpace, eventTopic: "cluster" }),
    pass: (ms) => sleep(ms),
    flush: () => deleteLease(connections, keySpace),
    async restart({ keepData }) {
      if (!keepData) await deleteLease(connections, keySpace);
      await restart?.();
      await eventually(() => connections.lease.ready({ timeoutMs: 1000 }).then(() => true));
    },
    events: () => eventsOf(connections, keySpace),
    [Symbol.asyncDispose]: () => connections.close(),
  };
}

async function deleteLease(connections: RedisConnections, keySpace: KeySpace): Promise<void> {
  for (const key of [keySpace.coordination("ha:lease"), keySpace.leader]) {
    await connections.data.command("DEL", [key]);
  }
}

async function eventsOf(connections: RedisConnections, keySpace: KeySpace) {
  const { log } = eventLogKeys(keySpace, "cluster", "coordination");
  const entries = await connections.data.command("XRANGE", [log, "-", "+"]);
  return (Array.isArray(entries) ? entries : []).map((entry) => {
    const [, fields] = entry as [string, string[]];
    return JSON.parse(fields[fields.indexOf("event") + 1] ?? "{}") as {
      type: string;
      nodeId: string;
      term: number;
    };
  });
}
