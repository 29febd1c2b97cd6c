import { type Random, randomId, systemRandom } from "@parallax/core";
import {
  createKeySpace,
  defaultMaxLogAgeMs,
  defaultMaxLogEntries,
  eventLogKeys,
  type KeySpace,
  openConnections,
  type RedisConnection,
  type RedisSource,
  type Script,
} from "@parallax/redis";
import { formatEntry, parseEntry, rangeOf, unescapeValue, valuesRange } from "./index-entry.ts";
import { headArguments, pushChange, type RecordKeys } from "./redis-arguments.ts";
import {
  readEvent,
  readList,
  readNumber,
  readOutcome,
  readPairs,
  readRecord,
  readTexts,
} from "./redis-replies.ts";
import {
  expiredScript,
  logScript,
  memoryScript,
  mutateScript,
  raiseFenceScript,
  readScript,
  timeScript,
  valuesScript,
  versionsScript,
} from "./redis-scripts.ts";
import type { Layout, RecordBackend, ScanRequest, StoredFields } from "./store.ts";

/** Options of {@link redisRecordBackend}. */
export interface RedisRecordBackendOptions {
  /** Names the keys. Default: prefix `parallax:`, hash tags where `source` is a Cluster. */
  readonly keySpace?: KeySpace;
  /** How many entries a topic's log keeps. Default 10 000. */
  readonly maxTopicEntries?: number;
  /** How long it keeps them, in milliseconds. Default one day. */
  readonly maxTopicAgeMs?: number;
  /** How long a call with `replicas` waits for them, in milliseconds. Default 1000. */
  readonly replicaTimeoutMs?: number;
  readonly random?: Random;
}

/** How many bytes of records one reply may hold, so that no read stalls the server or fills its output buffer. */
const readBudgetBytes = 4 * 1024 * 1024;
/** How many records are asked for at once. */
const readLimit = 200;

/**
 * Records on Redis 6.2 or newer: standalone, Sentinel or Cluster.
 *
 * @param source An ioredis client that you made (it is duplicated, never used itself), or connections that you share and
 *   close yourself.
 */
export function redisRecordBackend(
  source: RedisSource,
  options: RedisRecordBackendOptions = {},
): RecordBackend {
  const connections = openConnections(source);
  const {
    keySpace = createKeySpace({ cluster: connections.mode === "cluster" }),
    maxTopicEntries = defaultMaxLogEntries,
    maxTopicAgeMs = defaultMaxLogAgeMs,
    replicaTimeoutMs = 1000,
    random = systemRandom,
  } = options;
  const epochCandidate = randomId("", random);
  const reads = createReads(() => connections.data, keySpace);

  return {
    ...reads,
    partitions: keySpace.partitions,
    partitionOf: keySpace.partitionOf,
    keyOf: (collection, id) => keySpace.partitioned(keySpace.partitionOf(id), `${collection}:${id}`),
    async mutate(partition, layout, changes, { replicas, repeatedSinceMs }) {
      const { topic } = layout;
      const log = topic === undefined ? undefined : eventLogKeys(keySpace, topic, partition);
      const keys = sharedKeys(keySpace, partition, layout);
      const channel = log?.channel ?? "";
      const durable = replicas > 0;
      const args = headArguments(layout, {
        channel,
        partition,
        epochCandidate,
        maxTopicEntries,
        maxTopicAgeMs,
        durable,
        repeatedSinceMs,
      });
      args.push(changes.length);
      for (const change of changes) {
        const names = recordKeys(keySpace, partition, layout.collection, change.id);
        pushChange(keys, args, change, names, layout.maxLogEntries > 0);
      }
      const durability = durable ? { replicas, replicaTimeoutMs } : {};
      const result = await connections.data.run(mutateScript, keys, args, durability);
      const [nowMs, ...answers] = readList(result.reply, "the answers to changes");
      const time = readNumber(nowMs, "the store's time");
      const outcomes = changes.map(({ id, op }, index) => readOutcome(answers[index], time, id, op));
      return { outcomes, replicas: result.replicas, storeTimeMs: time };
    },
    async raiseFence(partition, term) {
      const { reply } = await connections.data.run(
        raiseFenceScript,
        [keySpace.partitioned(partition, "fence")],
        [term],
      );
      const fence = readNumber(reply, "the fence");
      return { raised: fence === term, fence };
    },
    [Symbol.asyncDispose]: () => connections.close(),
  };
}

function recordKeys(keySpace: KeySpace, partition: number, collection: string, id: string): RecordKeys {
  const record = keySpace.partitioned(partition, `${collection}:${id}`);
  return { record, inbox: `${record}:inbox`, log: `${record}:log`, tombstone: `${record}:deleted` };
}

function sharedKeys(keySpace: KeySpace, partition: number, layout: Layout): string[] {
  const names = ["fence", `index:${layout.collection}`, `expiry:${layout.collection}`];
  const keys = names.map((name) => keySpace.partitioned(partition, name));
  if (layout.topic === undefined) return keys;
  const { meta, log } = eventLogKeys(keySpace, layout.topic, partition);
  return [...keys, meta, log];
}

type Reads = Pick<
  RecordBackend,
  "read" | "versions" | "inbox" | "log" | "scan" | "count" | "values" | "expired" | "time" | "memory"
>;

function createReads(data: () => RedisConnection, keySpace: KeySpace): Reads {
  const key = (partition: number, name: string): string => keySpace.partitioned(partition, name);
  const run = async (script: Script, keys: readonly string[], args: readonly (string | number)[] = []) =>
    (await data().run(script, keys, args)).reply;

  return {
    async read(partition, collection, ids) {
      const records: (StoredFields | undefined)[] = [];
      while (records.length < ids.length) {
        const next = ids.slice(records.length, records.length + readLimit);
        const keys = next.map((id) => key(partition, `${collection}:${id}`));
        const replies = readList(await run(readScript, keys, [readBudgetBytes]), "records");
        for (const [at, reply] of replies.entries()) records.push(readRecord(next[at] ?? "", reply));
      }
      return records;
    },
    async versions(partition, collection, { index, value }, ids) {
      if (ids.length === 0) return [];
      const keys = ids.map((id) => key(partition, `${collection}:${id}`));
      const found = readList(
        await run(versionsScript, keys, index === undefined ? [] : [index, value]),
        "versions",
      );
      return ids.map((id, at) =>
        found[at] == null ? undefined : readNumber(found[at], `the version of ${id}`),
      );
    },
    async inbox(partition, collection, id) {
      return readPairs(await data().command("HGETALL", [key(partition, `${collection}:${id}:inbox`)]), id);
    },
    async log(partition, collection, id, after) {
      const { record, log } = recordKeys(keySpace, partition, collection, id);
      const reply = await run(logScript, [record, log], [after]);
      return reply === null ? undefined : readTexts(reply, `the log of ${id}`).map(readEvent);
    },
    async scan(partition, collection, request) {
      const [command, ...bounds] = scanBounds(request);
      const args = [key(partition, `index:${collection}`), ...bounds, "LIMIT", 0, request.limit];
      const members = readTexts(await data().command(command, args), `the index of ${collection}`);
      return members.flatMap((member) => parseEntry(member) ?? []);
    },
    async count(partition, collection, query) {
      const { first, end } = rangeOf(query);
      const args = [key(partition, `index:${collection}`), `[${first}`, `(${end}`];
      return readNumber(await data().command("ZLEXCOUNT", args), `the index of ${collection}`);
    },
    async values(partition, collection, index, { after, limit }) {
      const { first, end } = valuesRange(index, after);
      const reply = await run(
        valuesScript,
        [key(partition, `index:${collection}`)],
        [index, first, end, limit],
      );
      const flat = readList(reply, `the values of ${index}`);
      return Array.from({ length: flat.length / 2 }, (_, at) => [
        unescapeValue(String(flat[2 * at])),
        readNumber(flat[2 * at + 1], `the values of ${index}`),
      ]);
    },
    async expired(partition, collection, limit) {
      const reply = await run(expiredScript, [key(partition, `expiry:${collection}`)], [limit]);
      return readTexts(reply, `the expiry of ${collection}`);
    },
    async time() {
      return readNumber(await run(timeScript, [key(0, "fence")]), "the store's time");
    },
    async memory(partition) {
      const text = String(await run(memoryScript, [key(partition, "fence")]));
      const limitBytes = bytesIn(text, "maxmemory");
      return { usedBytes: bytesIn(text, "used_memory"), limitBytes: limitBytes || undefined };
    },
  };
}

function scanBounds({ order, after, ...query }: ScanRequest): [command: string, from: string, to: string] {
  const { first, end } = rangeOf(query);
  const edge = after && formatEntry(query, after);
  return order === "newest-first"
    ? ["ZREVRANGEBYLEX", `(${edge ?? end}`, `[${first}`]
    : ["ZRANGEBYLEX", edge === undefined ? `[${first}` : `(${edge}`, `(${end}`];
}

function bytesIn(info: string, name: string): number {
  return readNumber(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1], `${name} of INFO memory`);
}
