import { setTimeout as sleep } from "node:timers/promises";
import { createKeySpace, eventLogKeys, type KeySpace, type RedisConnections } from "@parallax/redis";
import { z } from "zod";
import type { RecordSpace } from "../../src/conformance.ts";
import { redisRecordBackend } from "../../src/redis.ts";

let spaces = 0;

/** A key space that nobody has used, so that tests need not empty the server between them. */
export function freshKeySpace({ mode }: RedisConnections, partitions = 16): KeySpace {
  spaces += 1;
  return createKeySpace({ prefix: `s${spaces}:`, cluster: mode === "cluster", partitions });
}

const entriesShape = z.array(z.tuple([z.string(), z.array(z.string())]));
const eventShape = z.record(z.string(), z.unknown());

/** The events of a topic, in order within each partition. */
export async function eventsOf(
  connections: RedisConnections,
  keySpace: KeySpace,
  topic: string,
): Promise<Record<string, unknown>[]> {
  const reads = Array.from({ length: keySpace.partitions }, async (_, partition) => {
    const { log } = eventLogKeys(keySpace, topic, partition);
    const entries = entriesShape.parse(await connections.data.command("XRANGE", [log, "-", "+"]));
    return entries.map(([, fields]) =>
      eventShape.parse(JSON.parse(fields[fields.indexOf("event") + 1] ?? "")),
    );
  });
  return (await Promise.all(reads)).flat();
}

/** Records of their own on a server that tests share. */
export function redisSpace(connections: RedisConnections): RecordSpace {
  const keySpace = freshKeySpace(connections);
  return {
    connect: async () => redisRecordBackend(connections, { keySpace }),
    // Store time has whole milliseconds, so one more is needed to be sure.
    pass: async (ms) => void (await sleep(ms + 1)),
    events: (topic) => eventsOf(connections, keySpace, topic),
    async [Symbol.asyncDispose]() {},
  };
}
