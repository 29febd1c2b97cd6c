import type { Logger } from "@parallax/core";
import {
  type Clock,
  noopLogger,
  ParallaxError,
  type Random,
  safeOnError,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import { createChanges } from "./changes.ts";
import { checkWhole } from "./checks.ts";
import type { Collection, CollectionOptions, Fields, StateStore } from "./collection.ts";
import { partitionsOf, type StoreContext } from "./context.ts";
import { type Definition, defaultLimits, define, type StoreLimits } from "./definition.ts";
import { createReads } from "./reads.ts";
import { createRequestIds, maxRepeatMs } from "./request-ids.ts";
import { retrying } from "./retry.ts";
import type { RecordBackend } from "./store.ts";
import { createUpkeep } from "./upkeep.ts";
import { topicOf, watchCollection } from "./watch.ts";
import { createWriter } from "./writer.ts";

/** Options of {@link createStateStore}. */
export interface StateStoreOptions {
  /** `memoryRecordBackend` or `redisRecordBackend`; closed with the store. */
  readonly backend: RecordBackend;
  /** Needed for `watch` and `position`; told of what is written, so that it can measure sync latency. */
  readonly bus?: Pick<EventBus, "sent" | "position" | "iterate">;
  readonly defaults?: {
    /** Replicas that must acknowledge a change. Default 0. */
    readonly replicas?: number;
  };
  /** Milliseconds for which a change without an answer, or a read, is tried again. Default 10 000, at most 45 000. */
  readonly timeoutMs?: number;
  /** Changes of one tick and partition travel together, up to this many. Default 32. */
  readonly batchSize?: number;
  /** How many changes may be on their way or waiting before new ones are refused with `overloaded`. Default 20 000. */
  readonly maxPending?: number;
  readonly limits?: Partial<StoreLimits>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives what is wrong but ends no call, such as a record in a list that does not fit its schema. */
  readonly onError?: (error: unknown) => void;
}

const mebibyte = 1024 * 1024;
/** S7: no new records above this share of the memory limit. */
const admittedShare = 0.85;
const admissionCacheMs = 1000;

/** Opens a state store on a backend. The backend is closed with it. */
export function createStateStore(options: StateStoreOptions): StateStore {
  const { backend, bus, defaults = {}, logger = noopLogger } = options;
  const onError = safeOnError(options.onError ?? (() => {}), logger);
  const { timeoutMs = 10_000, batchSize = 32, maxPending = 20_000 } = options;
  const { clock = systemClock, random = systemRandom } = options;
  const { replicas = 0 } = defaults;
  if (typeof backend?.mutate !== "function") {
    const message =
      "opening a state store without a backend: pass memoryRecordBackend(space) or redisRecordBackend(client)";
    throw new ParallaxError("invalid_value", message);
  }
  checkWhole("invalid_value", "the time-out", timeoutMs, 1, maxRepeatMs);
  checkWhole("invalid_value", "the size of a batch", batchSize, 1, 1000);
  checkWhole("invalid_value", "the number of replicas", replicas, 0, 100);

  const retry = { clock, random, timeoutMs };
  const writer = createWriter({
    ...retry,
    backend,
    bus,
    batchSize,
    batchBytes: mebibyte,
    maxPending,
    maxPendingBytes: 128 * mebibyte,
  });
  const context: StoreContext = {
    backend,
    writer,
    bus,
    clock,
    replicas,
    limits: { ...defaultLimits, ...options.limits },
    nextId: createRequestIds(random),
    reading: (read) => (closing ? Promise.reject(closedError()) : retrying(read, retry)),
    onError(error) {
      logger.error("reading a record failed, it is left out", { error });
      onError(error);
    },
  };
  const topics = new Map<string, string>();
  const admission = createAdmission(context);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    await writer.close();
    await backend[Symbol.asyncDispose]();
  }

  return {
    collection<Value extends Fields>(wanted: CollectionOptions<Value>): Collection<Value> {
      const definition = define(wanted, context.limits);
      claimTopic(topics, definition);
      return createCollection(context, definition);
    },
    async raiseFence(term) {
      checkWhole("invalid_value", "a term", term, 0);
      const raises = partitionsOf(backend).map((partition) =>
        context.reading(() => backend.raiseFence(partition, term)),
      );
      const fences = await Promise.all(raises);
      if (fences.every(({ raised }) => raised)) return { outcome: "ok" };
      return { outcome: "fenced", fence: Math.max(...fences.map(({ fence }) => fence)) };
    },
    admits: admission,
    time: () => context.reading(() => backend.time()),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

function createCollection<Value extends Fields>(
  context: StoreContext,
  definition: Definition<Value>,
): Collection<Value> {
  const { backend } = context;
  const { layout } = definition;
  const reads = createReads(context, definition);
  return {
    name: layout.collection,
    ...createChanges(context, definition),
    ...reads,
    ...createUpkeep(context, definition),
    watch: (options) => watchCollection(context, layout, reads.list, options),
    async position() {
      const { bus, topic } = topicOf(context, layout);
      return bus.position(topic);
    },
    keyOf: (id) => backend.keyOf(layout.collection, id),
  };
}

function closedError(): ParallaxError<"store_closed"> {
  return new ParallaxError("store_closed", "reading from a state store that is closed; open another");
}

/** An event names a record by its id alone, so a topic belongs to one collection. */
function claimTopic(topics: Map<string, string>, { layout }: Pick<Definition<Fields>, "layout">): void {
  const { topic, collection } = layout;
  if (topic === undefined) return;
  const owner = topics.get(topic) ?? collection;
  if (owner !== collection) {
    const message = `opening collection ${collection} with topic ${topic}: that is the topic of ${owner}; choose another`;
    throw new ParallaxError("invalid_collection", message);
  }
  topics.set(topic, owner);
}

/** Whether every partition's server has room; asked once a second, by however many callers. */
function createAdmission({ backend, clock, reading }: StoreContext): () => Promise<boolean> {
  let cached: { readonly untilMs: number; readonly answer: Promise<boolean> } | undefined;

  async function ask(): Promise<boolean> {
    const looks = partitionsOf(backend).map((partition) => reading(() => backend.memory(partition)));
    const servers = await Promise.all(looks);
    return servers.every(
      ({ usedBytes, limitBytes }) => limitBytes === undefined || usedBytes < limitBytes * admittedShare,
    );
  }

  return () => {
    if (!cached || clock.now() >= cached.untilMs) {
      const answer = ask();
      const fresh = { untilMs: clock.now() + admissionCacheMs, answer };
      cached = fresh;
      answer.catch(() => {
        // A failed look is no answer to keep.
        if (cached === fresh) cached = undefined;
      });
    }
    return cached.answer;
  };
}
