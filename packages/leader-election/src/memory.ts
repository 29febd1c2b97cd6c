import {
  type Clock,
  createListeners,
  type Random,
  randomId,
  systemClock,
  systemRandom,
} from "@parallax/core";
import {
  acquireLease,
  challengeLease,
  deposeLease,
  leaseHolder,
  markLoss,
  releaseLease,
  renewLease,
  storeClosed,
} from "./lease.ts";
import type { LeaseReading, LeaseRecord, LeaseStore } from "./store.ts";

/** The name of a call, as the fault hooks see it. */
export type LeaseCall = "read" | "acquire" | "renew" | "markLoss" | "release" | "depose" | "challenge";

/** What stands between one node and the space: the places where a network loses, delays or repeats. */
export interface LeaseFaults {
  /** Before the call takes effect. A rejection is a request that never arrived. */
  readonly onRequest?: (call: LeaseCall) => Promise<void>;
  /** After it took effect. A rejection is an answer that never arrived: its outcome is unknown. */
  readonly onReply?: (call: LeaseCall) => Promise<void>;
  /** Whether a hint gets through. */
  readonly onHint?: () => boolean;
}

/** Options of {@link memoryLeaseSpace}. */
export interface MemoryLeaseSpaceOptions {
  /** The store's own clock, which need not agree with any node's. Default: this process's. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** How long the store has been up at the start, in ms. Default: a day. */
  readonly uptimeMs?: number;
  /** How many replicas acknowledge each write. Default 0. */
  readonly replicas?: number;
  /** Receives `leader-elected`, `leader-stepped-down` and `leader-deposed`, each in the step that makes it true. */
  readonly onEvent?: (event: { readonly type: string; readonly [field: string]: unknown }) => void;
}

/** The contents of a {@link MemoryLeaseSpace} at one moment. */
export type LeaseSnapshot = { readonly record: LeaseRecord | undefined };

/**
 * One lease in memory, handed to every node that competes for it. For one process: embedded use, examples, tests, and
 * simulations, which crash, rewind and mistune it.
 */
export interface MemoryLeaseSpace {
  /** What a client would read now. */
  reading(): LeaseReading;
  /** Makes a restart: a new process and a new lineage; the record stays or is lost. */
  restart(options: { readonly keepData: boolean }): void;
  /** Loses the record and nothing else, as FLUSHALL does. */
  flush(): void;
  snapshot(): LeaseSnapshot;
  /** Makes a fail-over to a replica that stood where the snapshot was taken: a new process and a new lineage. */
  failOver(to: LeaseSnapshot): void;
  /** Steps the store's clock. */
  stepClock(ms: number): void;
  /** How many replicas acknowledge from now on. */
  setReplicas(count: number): void;
  /** @internal */
  readonly backend: MemoryLeaseBackend;
}

/** @internal What a store does with its space. */
export interface MemoryLeaseBackend {
  readonly replicas: number;
  write(record: LeaseRecord): void;
  /** Tells of a change: the event at once, the hint a moment later. */
  announce(
    type: "leader-elected" | "leader-stepped-down" | "leader-deposed",
    nodeId: string,
    term: number,
  ): void;
  hint(): void;
  subscribe(onHint: () => void): () => void;
}

/** Makes an empty lease. */
export function memoryLeaseSpace(options: MemoryLeaseSpaceOptions = {}): MemoryLeaseSpace {
  const { clock = systemClock, random = systemRandom, onEvent, uptimeMs = 86_400_000 } = options;
  const hints = createListeners<void>((error) => {
    throw error;
  });
  let record: LeaseRecord | undefined;
  let replicas = options.replicas ?? 0;
  let stepMs = 0;
  let process = {
    lineage: randomId("", random),
    runId: randomId("", random),
    rememberSinceMs: clock.now() - uptimeMs,
  };

  const hint = (): void => void clock.after(0, () => hints.emit());
  const startProcess = (kept: LeaseRecord | undefined): void => {
    record = kept;
    process = { lineage: randomId("", random), runId: randomId("", random), rememberSinceMs: clock.now() };
  };
  return {
    reading: () => ({
      record,
      storeTimeMs: clock.wall() + stepMs,
      lineage: process.lineage,
      storeRemembersMs: clock.now() - process.rememberSinceMs,
      storeRunId: process.runId,
    }),
    restart: ({ keepData }) => startProcess(keepData ? record : undefined),
    flush() {
      record = undefined;
      process.rememberSinceMs = clock.now();
    },
    snapshot: () => ({ record }),
    failOver: (to) => startProcess(to.record),
    stepClock(ms) {
      stepMs += ms;
    },
    setReplicas(count) {
      replicas = count;
    },
    backend: {
      get replicas() {
        return replicas;
      },
      write(next) {
        record = next;
      },
      announce(type, nodeId, term) {
        onEvent?.({ type, nodeId, term });
        hint();
      },
      hint,
      subscribe: (onHint) => hints.subscribe(onHint),
    },
  };
}

/** A {@link LeaseStore} on a shared space. Make one for each node, or share one: it has no state but whether it is closed. */
export function memoryLeaseStore(space: MemoryLeaseSpace, faults: LeaseFaults = {}): LeaseStore {
  const { backend } = space;
  let isClosed = false;

  /** One attempt: the request travels, takes effect in one step, and the answer travels back. */
  async function attempt<Result>(call: LeaseCall, step: () => Result): Promise<Result> {
    if (isClosed) throw storeClosed(`lease.${call}`);
    await faults.onRequest?.(call);
    const result = step();
    await faults.onReply?.(call);
    return result;
  }

  return {
    read: () => attempt("read", () => space.reading()),
    acquire: (request) =>
      attempt("acquire", () => {
        const reading = space.reading();
        const record = acquireLease(reading, request);
        if (!record) return { outcome: "refused", reading };
        backend.write(record);
        backend.announce("leader-elected", record.nodeId, record.term);
        const after = { ...reading, record };
        return { outcome: "granted", term: record.term, reading: after, replicas: backend.replicas };
      }),
    renew: (request) =>
      attempt("renew", () => {
        const reading = space.reading();
        const record = renewLease(reading, request);
        if (!record) return { outcome: "lost", reading };
        backend.write(record);
        const challenger = reading.record?.challenger;
        return {
          outcome: "renewed",
          reading: { ...reading, record: { ...record, challenger } },
          replicas: backend.replicas,
        };
      }),
    markLoss: ({ termsGranted }) =>
      attempt("markLoss", () => {
        const record = markLoss(space.reading(), termsGranted);
        if (record) backend.write(record);
        return space.reading();
      }),
    release: (request) =>
      attempt("release", () => {
        const record = releaseLease(space.reading(), request);
        if (record) {
          backend.write(record);
          backend.announce("leader-stepped-down", record.nodeId, record.term);
        }
        return space.reading();
      }),
    depose: (by) =>
      attempt("depose", () => {
        const before = space.reading();
        const record = deposeLease(before, by);
        const deposed = leaseHolder(before);
        backend.write(record);
        if (deposed) backend.announce("leader-deposed", deposed.nodeId, record.term);
        else backend.hint();
        return { deposed, reading: { ...before, record } };
      }),
    challenge: (request) =>
      attempt("challenge", () => {
        const record = challengeLease(space.reading(), request);
        if (!record) return;
        backend.write(record);
        backend.hint();
      }),
    subscribe: (onHint) => backend.subscribe(() => (faults.onHint?.() ?? true) && onHint()),
    async [Symbol.asyncDispose]() {
      isClosed = true;
    },
  };
}
