import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@parallax/core";
import { createConnections, type KeySpace, type RedisConnections } from "@parallax/redis";
import { createFaultProxy, eventually, type FaultProxy, type RedisFixture } from "@parallax/testing";
import type { StateStore } from "../../src/collection.ts";
import { redisRecordBackend } from "../../src/redis.ts";
import { createStateStore } from "../../src/state-store.ts";
import { freshKeySpace } from "./redis-space.ts";

/** Nodes with a store each, every one behind a proxy of its own, and a way to the server past all of them. */
export interface Nodes {
  readonly stores: readonly StateStore[];
  readonly proxies: readonly FaultProxy[];
  readonly direct: RedisConnections;
  readonly keySpace: KeySpace;
  /** Cuts the nodes off for good: what they sent has reached the server by then, or never will. */
  disconnect(): Promise<void>;
  close(): Promise<void>;
}

/** Opens them on a key space that nobody has used, with short time-outs: calls are to end without an answer. */
export async function openNodes(redis: RedisFixture, count: number, random: Random): Promise<Nodes> {
  const direct = createConnections({ url: redis.url });
  const keySpace = freshKeySpace(direct);
  const target = { port: redis.port };
  const proxies = await Promise.all(Array.from({ length: count }, () => createFaultProxy({ target })));
  const connections = proxies.map(({ url }) => createConnections({ url }, { deadlineMs: { data: 120 } }));
  const stores = connections.map((connection) =>
    createStateStore({ backend: redisRecordBackend(connection, { keySpace }), timeoutMs: 200, random }),
  );
  return {
    stores,
    proxies,
    direct,
    keySpace,
    async disconnect() {
      await Promise.all(connections.map((connection) => connection.close()));
      // A proxy waits for clients that were cut off half-way; the end of the process does not.
      await Promise.race([Promise.all(proxies.map((proxy) => proxy.stop())), sleep(500)]);
      await eventually(async () => {
        const clients = String(await direct.data.command("CLIENT", ["LIST"]));
        return clients.split("name=parallax:data").length === 2;
      });
    },
    close: () => direct.close(),
  };
}
