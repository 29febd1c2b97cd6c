import { ParallaxError, type Random, randomId, systemRandom } from "@parallax/core";
import {
  type CallOptions,
  createKeySpace,
  eventLogKeys,
  type KeySpace,
  openConnections,
  type RedisReply,
  type RedisSource,
  type Script,
} from "@parallax/redis";
import { leaseHolder, storeClosed } from "./lease.ts";
import {
  acquireScript,
  challengeScript,
  deposeScript,
  leaseFields,
  markLossScript,
  readScript,
  releaseScript,
  renewScript,
} from "./redis-scripts.ts";
import type { CallBounds, CallDeadline, LeaseReading, LeaseRecord, LeaseStore } from "./store.ts";

/** Options of {@link redisLeaseStore}. */
export interface RedisLeaseStoreOptions {
  /** Names the keys. Default: the prefix `parallax:`. */
  readonly keySpace?: KeySpace;
  /** The topic to whose log `leader-elected`, `leader-stepped-down` and `leader-deposed` are appended. Default: none. */
  readonly eventTopic?: string;
  readonly random?: Random;
}

interface Answer {
  readonly outcome: string;
  readonly reading: LeaseReading;
  /** Of `depose`: the record that the tombstone replaced. */
  readonly replaced: LeaseRecord | undefined;
  readonly replicas: number;
}

/**
 * The lease in Redis 6.2 or later: standalone, Sentinel or Cluster. `source` is a client of ioredis, which is duplicated and
 * never used itself, or connections that exist already; the latter stay open when the store is closed.
 *
 * Errors of its calls: `timeout` (outcome unknown), `redis_unavailable`, `redis_closed`, `store_closed`, and `redis_reply` or
 * `invalid_reply` where the record under `ha:lease` is not ours to read.
 */
export function redisLeaseStore(source: RedisSource, options: RedisLeaseStoreOptions = {}): LeaseStore {
  const connections = openConnections(source);
  const { keySpace = createKeySpace({ cluster: connections.mode === "cluster" }), random = systemRandom } =
    options;
  const { eventTopic = "" } = options;
  const hintChannel = keySpace.channel("ha:lease");
  const log = eventLogKeys(keySpace, eventTopic, "coordination");
  const leaseKeys = [keySpace.coordination("ha:lease"), keySpace.leader];
  const keys = eventTopic === "" ? leaseKeys : [...leaseKeys, log.meta, log.log];

  let isClosed = false;

  async function call(
    script: Script,
    args: readonly (string | number)[],
    bounds?: CallDeadline & Partial<CallBounds>,
  ): Promise<Answer> {
    if (isClosed) throw storeClosed(script.name);
    const tags = script.readOnly ? ["", ""] : [randomId("", random), randomId("", random)];
    const all = [hintChannel, eventTopic, log.channel, ...tags, ...args];
    const { reply, replicas } = await connections.lease.run(script, keys, all, callOptions(bounds));
    return { ...decodeAnswer(script, reply), replicas };
  }

  return {
    async read(bounds) {
      return (await call(readScript, [], bounds)).reading;
    },
    async acquire(request, bounds) {
      const { nodeId, incarnation, basis, expected, lineage, leaseDurationMs, aboveTerm, termsGranted } =
        request;
      const seen = [expected?.term ?? "", expected?.renewal ?? "", lineage];
      const rest = [leaseDurationMs, aboveTerm, termsGranted, request.priority];
      const args = [nodeId, incarnation, basis, ...seen, ...rest];
      const { outcome, reading, replicas } = await call(acquireScript, args, bounds);
      const { record } = reading;
      if (outcome !== "granted" || !record) return { outcome: "refused", reading };
      return { outcome: "granted", term: record.term, reading, replicas };
    },
    async renew(request, bounds) {
      const { nodeId, incarnation, term, leaseDurationMs, termsGranted, priority, reassert } = request;
      const { seen, heldForMs } = request;
      const mine = [nodeId, incarnation, term, leaseDurationMs, termsGranted, priority];
      const args = [...mine, reassert ? 1 : 0, seen.renewal, seen.lineage, heldForMs];
      const { outcome, reading, replicas } = await call(renewScript, args, bounds);
      return outcome === "renewed" ? { outcome, reading, replicas } : { outcome: "lost", reading };
    },
    async markLoss({ termsGranted }, bounds) {
      return (await call(markLossScript, [termsGranted], bounds)).reading;
    },
    async release({ incarnation, term, reservedFor = "", reserveMs }, bounds) {
      return (await call(releaseScript, [incarnation, term, reservedFor, reserveMs], bounds)).reading;
    },
    async depose({ nodeId, incarnation }, bounds) {
      const { reading, replaced } = await call(deposeScript, [nodeId, incarnation], bounds);
      return { deposed: leaseHolder({ ...reading, record: replaced }), reading };
    },
    async challenge({ nodeId, priority }, bounds) {
      await call(challengeScript, [nodeId, priority], bounds);
    },
    subscribe: (onHint) => connections.subscriber.listen([hintChannel], onHint, onHint),
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await connections[Symbol.asyncDispose]();
    },
  };
}

/** Half of the time is for the script, half for the replicas. */
function callOptions(bounds: (CallDeadline & Partial<CallBounds>) | undefined): CallOptions {
  if (!bounds) return {};
  const { deadlineMs, replicas = 0 } = bounds;
  if (replicas === 0) return { deadlineMs };
  return { deadlineMs, replicas, replicaTimeoutMs: Math.max(1, Math.min(1000, Math.floor(deadlineMs / 2))) };
}

function decodeAnswer(script: Script, reply: RedisReply): Omit<Answer, "replicas"> {
  if (!Array.isArray(reply)) throw invalidReply(script, "an array");
  const texts = reply.map((part: RedisReply) => String(part ?? ""));
  const [outcome = "", storeTime = "", lineage = "", remembers = "", storeRunId = "", ...rest] = texts;
  const record = decodeRecord(script, rest.slice(0, leaseFields.length));
  const replaced = decodeRecord(script, rest.slice(leaseFields.length));
  const storeTimeMs = decodeNumber(script, "the time", storeTime);
  const storeRemembersMs = decodeNumber(script, "the time since it lost anything", remembers);
  return { outcome, reading: { record, storeTimeMs, lineage, storeRemembersMs, storeRunId }, replaced };
}

function decodeRecord(script: Script, values: readonly string[]): LeaseRecord | undefined {
  if (values.length === 0) return undefined;
  const text = (field: (typeof leaseFields)[number]): string => values[leaseFields.indexOf(field)] ?? "";
  const number = (field: (typeof leaseFields)[number]): number => decodeNumber(script, field, text(field));
  const challenger = text("challenger");
  return {
    nodeId: text("nodeId"),
    incarnation: text("incarnation"),
    term: number("term"),
    renewal: number("renewal"),
    heldForMs: number("heldForMs"),
    state: decodeState(script, text("state")),
    expiresAtMs: number("expiresAtMs"),
    leaseDurationMs: number("leaseDurationMs"),
    lineage: text("lineage"),
    priority: number("priority"),
    reservedFor: text("reservedFor") === "" ? undefined : text("reservedFor"),
    reservedUntilMs: number("reservedUntilMs"),
    termsGranted: number("termsGranted"),
    challenger:
      challenger === "" ? undefined : { nodeId: challenger, priority: number("challengerPriority") },
  };
}

function decodeState(script: Script, text: string): LeaseRecord["state"] {
  if (text === "held" || text === "released" || text === "deposed" || text === "lost") return text;
  throw invalidReply(script, "a state of held, released, deposed or lost");
}

function decodeNumber(script: Script, what: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value)) return value;
  throw invalidReply(script, `a number as ${what}`);
}

function invalidReply(script: Script, expected: string): ParallaxError<"invalid_reply"> {
  const message = `reading the answer of ${script.name}: expected ${expected}; see what lies under the lease's key`;
  return new ParallaxError("invalid_reply", message);
}
