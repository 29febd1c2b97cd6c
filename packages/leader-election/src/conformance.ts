import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { isParallaxError } from "@parallax/core";
import type {
  AcquireOutcome,
  AcquireRequest,
  Holder,
  LeaseStore,
  RenewOutcome,
  RenewRequest,
} from "./store.ts";

/** What the suite needs of a test runner: vitest, node:test and jest fit as they are. */
export interface TestApi {
  describe(name: string, define: () => void): void;
  it(name: string, test: () => Promise<void>): void;
}

/** One fresh store, empty. */
export interface LeaseBackend {
  /** A store of another node on the same lease. */
  open(): LeaseStore;
  /** Lets at least `ms` of the store's time pass. */
  pass(ms: number): Promise<void>;
  /** Loses everything and goes on. */
  flush(): Promise<void>;
  /** A new process and a new lineage. Needed with the capability `restart`. */
  restart?(options: { readonly keepData: boolean }): Promise<void>;
  /** The events so far. Needed with the capability `events`. */
  events?(): Promise<readonly { readonly type: string; readonly nodeId: string; readonly term: number }[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a backend can show. The suite leaves out what it cannot, and says so in its titles. */
export interface LeaseCapabilities {
  readonly restart: boolean;
  readonly events: boolean;
}

type Run = (test: (backend: LeaseBackend, store: LeaseStore) => Promise<void>) => () => Promise<void>;

const bounds = { deadlineMs: 5000, replicas: 0 };
const anna: Holder = { nodeId: "anna", incarnation: "i-anna" };
const ben: Holder = { nodeId: "ben", incarnation: "i-ben" };

/** The suite that every {@link LeaseStore} must pass. `makeBackend` is called once for each test. */
export function leaseStoreConformance(
  api: TestApi,
  makeBackend: () => Promise<LeaseBackend>,
  capabilities: LeaseCapabilities,
): void {
  const run: Run = (test) => async () => {
    await using backend = await makeBackend();
    await using store = backend.open();
    await test(backend, store);
  };
  api.describe("grants", () => describeGrants(api, run));
  api.describe("renewals", () => describeRenewals(api, run));
  api.describe("losses", () => describeLosses(api, run));
  api.describe("tombstones", () => describeTombstones(api, run));
  api.describe("challenges", () => describeChallenges(api, run));
  api.describe("hints and closing", () => describeHints(api, run));
  if (capabilities.restart) api.describe("restarts", () => describeRestarts(api, run));
  if (capabilities.events) api.describe("events", () => describeEvents(api, run));
}

/** A request for the lease as the store shows it now. */
async function acquire(store: LeaseStore, change: Partial<AcquireRequest> = {}): Promise<AcquireOutcome> {
  const { record, lineage } = await store.read();
  const request: AcquireRequest = {
    ...anna,
    basis: "waited",
    expected: record && { term: record.term, renewal: record.renewal },
    lineage,
    leaseDurationMs: 10_000,
    aboveTerm: 0,
    termsGranted: 0,
    priority: 0,
    ...change,
  };
  return store.acquire(request, bounds);
}

async function granted(store: LeaseStore, change: Partial<AcquireRequest> = {}): Promise<number> {
  const outcome = await acquire(store, change);
  ok(outcome.outcome === "granted", "the lease was not granted");
  return outcome.term;
}

function renew(store: LeaseStore, term: number, change: Partial<RenewRequest> = {}): Promise<RenewOutcome> {
  const seen = { renewal: 0, lineage: "" };
  const rest = { leaseDurationMs: 10_000, termsGranted: 0, priority: 0, heldForMs: 0 };
  const defaults = { ...rest, seen, reassert: true };
  return store.renew({ ...anna, term, ...defaults, ...change }, bounds);
}

function release(
  store: LeaseStore,
  term: number,
  holder: Holder = anna,
  to?: string,
): Promise<{ record: unknown }> {
  return store.release({ ...holder, term, reservedFor: to, reserveMs: 10_000 }, bounds);
}

function describeGrants({ it }: TestApi, run: Run): void {
  it(
    "shows no record where there is none",
    run(async (_, store) => {
      const reading = await store.read();
      equal(reading.record, undefined);
      ok(reading.storeTimeMs > 0 && reading.lineage !== "" && reading.storeRunId !== "");
    }),
  );
  it(
    "L1: grants a term that is at least the store's time",
    run(async (_, store) => {
      const before = await store.read();
      const outcome = await acquire(store, { leaseDurationMs: 500, priority: 3 });
      ok(outcome.outcome === "granted");
      const { record } = await store.read();
      deepEqual(record, outcome.reading.record);
      ok(outcome.term >= Math.floor(before.storeTimeMs));
      equal(record?.term, outcome.term);
      equal(record?.state, "held");
      equal(record?.lineage, before.lineage);
      equal(record?.priority, 3);
      equal(record?.leaseDurationMs, 500);
      equal(record?.termsGranted, 1);
      equal(record?.expiresAtMs, outcome.reading.storeTimeMs + 500);
    }),
  );
  it(
    "L1: grants above the highest term that the candidate knows",
    run(async (_, store) => {
      const aboveTerm = 9_007_199_254_000_001;
      equal(await granted(store, { aboveTerm }), aboveTerm + 1);
      equal((await store.read()).record?.term, aboveTerm + 1);
    }),
  );
  it(
    "L1: goes on rising after everything was lost",
    run(async (backend, store) => {
      const first = await granted(store);
      await backend.pass(2);
      await backend.flush();
      ok((await granted(store)) > first);
    }),
  );
  it(
    "counts the terms, also over a loss, as far as the candidate knows",
    run(async (backend, store) => {
      await granted(store);
      await granted(store, { ...ben });
      equal((await store.read()).record?.termsGranted, 2);
      await backend.flush();
      await granted(store, { termsGranted: 2 });
      equal((await store.read()).record?.termsGranted, 3);
    }),
  );
  it(
    "L2: grants `vacant` once the store is older than a lease",
    run(async (backend, store) => {
      while ((await store.read()).storeRemembersMs <= 500) await backend.pass(100);
      await granted(store, { basis: "vacant", leaseDurationMs: 500 });
    }),
  );
  it(
    "L2: refuses `vacant` while the store is younger than a lease",
    run(async (_, store) => {
      const { storeRemembersMs } = await store.read();
      const outcome = await acquire(store, { basis: "vacant", leaseDurationMs: storeRemembersMs + 60_000 });
      equal(outcome.outcome, "refused");
      equal(outcome.reading.record, undefined);
    }),
  );
  it(
    "L2: refuses `vacant` where there is a record",
    run(async (_, store) => {
      await granted(store);
      equal((await acquire(store, { ...ben, basis: "vacant" })).outcome, "refused");
    }),
  );
  it(
    "L2: refuses whatever was decided under another lineage",
    run(async (_, store) => {
      equal((await acquire(store, { lineage: "another" })).outcome, "refused");
      equal((await store.read()).record, undefined);
    }),
  );
  it(
    "L2: refuses when the record is not the expected one any more",
    run(async (_, store) => {
      const term = await granted(store);
      equal((await acquire(store, { ...ben, expected: undefined })).outcome, "refused");
      equal((await acquire(store, { ...ben, expected: { term: term + 1, renewal: 1 } })).outcome, "refused");
      equal((await acquire(store, { ...ben, expected: { term, renewal: 2 } })).outcome, "refused");
      const outcome = await acquire(store, { ...ben, expected: { term, renewal: 1 } });
      equal(outcome.outcome, "granted");
    }),
  );
  it(
    "L2: grants `expired` from the expiry on, not before",
    run(async (backend, store) => {
      const term = await granted(store, { leaseDurationMs: 300 });
      equal((await acquire(store, { ...ben, basis: "expired" })).outcome, "refused");
      await backend.pass(301);
      ok((await granted(store, { ...ben, basis: "expired" })) > term);
    }),
  );
  it(
    "grants one of twenty who ask at once",
    run(async (backend, store) => {
      const stores = Array.from({ length: 20 }, () => backend.open());
      const outcomes = await Promise.all(
        stores.map((each, index) => {
          const holder = { nodeId: `n${index}`, incarnation: `i${index}` };
          return acquire(each, { ...holder, expected: undefined });
        }),
      );
      equal(outcomes.filter(({ outcome }) => outcome === "granted").length, 1);
      equal((await store.read()).record?.termsGranted, 1);
      for (const each of stores) await each[Symbol.asyncDispose]();
    }),
  );
  it(
    "keeps every character of the names",
    run(async (_, store) => {
      const odd = { nodeId: 'né "1" {a}:\\n\u{1f600}\'', incarnation: "i [0] %s" };
      await granted(store, odd);
      const { record } = await store.read();
      deepEqual({ nodeId: record?.nodeId, incarnation: record?.incarnation }, odd);
    }),
  );
}

function describeRenewals({ it }: TestApi, run: Run): void {
  it(
    "extends the lease and counts the renewal",
    run(async (backend, store) => {
      const term = await granted(store);
      await backend.pass(5);
      const outcome = await renew(store, term, { leaseDurationMs: 7000 });
      equal(outcome.outcome, "renewed");
      const { record } = await store.read();
      deepEqual(record, outcome.reading.record);
      equal(record?.renewal, 2);
      equal(record?.expiresAtMs, outcome.reading.storeTimeMs + 7000);
    }),
  );
  it(
    "T3: keeps the longest time that its holder has said, though a late copy says less",
    run(async (_, store) => {
      const term = await granted(store);
      for (const heldForMs of [5000, 2000])
        equal((await renew(store, term, { heldForMs })).outcome, "renewed");
      equal((await store.read()).record?.heldForMs, 5000);
    }),
  );
  it(
    "L5: is lost for another incarnation of the same node",
    run(async (_, store) => {
      const term = await granted(store);
      equal((await renew(store, term, { incarnation: "i-anna-2" })).outcome, "lost");
    }),
  );
  it(
    "is lost once another term was granted",
    run(async (_, store) => {
      const term = await granted(store);
      const later = await granted(store, ben);
      const outcome = await renew(store, term);
      equal(outcome.outcome, "lost");
      equal(outcome.reading.record?.term, later);
    }),
  );
  it(
    "does not bring a released lease back",
    run(async (_, store) => {
      const term = await granted(store);
      await release(store, term);
      equal((await renew(store, term)).outcome, "lost");
      equal((await store.read()).record?.state, "released");
    }),
  );
  it(
    "writes a lost record anew for a holder that is still valid, and for no other",
    run(async (backend, store) => {
      const term = await granted(store);
      await backend.flush();
      equal((await renew(store, term, { reassert: false })).outcome, "lost");
      equal((await store.read()).record, undefined);
      equal((await renew(store, term, { termsGranted: 9 })).outcome, "renewed");
      const { record } = await store.read();
      deepEqual([record?.term, record?.state, record?.termsGranted], [term, "held", 9]);
    }),
  );
  it(
    "writes over a record of a lower term, which is a store that was taken back",
    run(async (_, store) => {
      const term = await granted(store, ben);
      equal((await renew(store, term + 1000, { reassert: false })).outcome, "lost");
      equal((await renew(store, term + 1000)).outcome, "renewed");
      equal((await renew(store, term, ben)).outcome, "lost");
    }),
  );
}

function describeLosses({ it }: TestApi, run: Run): void {
  it(
    "marks a loss where there is no record, and only there",
    run(async (_, store) => {
      const marked = await store.markLoss({ termsGranted: 4 });
      const { record } = marked;
      deepEqual([record?.state, record?.term, record?.lineage, record?.termsGranted], ["lost", 0, "", 4]);
      deepEqual((await store.markLoss({ termsGranted: 9 })).record, record);
      await granted(store);
      equal((await store.markLoss({ termsGranted: 9 })).record?.state, "held");
      equal((await store.read()).record?.termsGranted, 5);
    }),
  );
  it(
    "L2: grants a placeholder to nobody but who waited for this very one",
    run(async (backend, store) => {
      const first = (await store.markLoss({ termsGranted: 0 })).record;
      for (const basis of ["vacant", "tombstone", "expired"] as const) {
        equal((await acquire(store, { basis })).outcome, "refused");
      }
      await backend.flush();
      await backend.pass(2);
      await store.markLoss({ termsGranted: 0 });
      const expected = { term: 0, renewal: first?.renewal ?? 0 };
      equal((await acquire(store, { expected })).outcome, "refused");
      await granted(store);
    }),
  );
  it(
    "L2: believes a record that was written anew only once its holder has heard of it",
    run(async (backend, store) => {
      const term = await granted(store);
      const { lineage } = await store.read();
      await backend.flush();
      const anew = await renew(store, term, { seen: { renewal: 1, lineage } });
      equal(anew.reading.record?.lineage, "");
      const late = await renew(store, term, { seen: { renewal: 1, lineage } });
      equal(late.reading.record?.lineage, "");
      const heard = { renewal: late.reading.record?.renewal ?? 0, lineage };
      equal((await renew(store, term, { seen: heard })).reading.record?.lineage, lineage);
      await backend.flush();
      await renew(store, term, { seen: heard });
      await release(store, term);
      equal((await acquire(store, { ...ben, basis: "tombstone" })).outcome, "refused");
    }),
  );
  it(
    "L2: gives a record that is written anew a number that no candidate has seen",
    run(async (backend, store) => {
      const term = await granted(store);
      const numbers = new Set<number | undefined>([1]);
      for (let round = 0; round < 3; round += 1) {
        for (let renewal = 0; renewal < 3; renewal += 1) {
          numbers.add((await renew(store, term)).reading.record?.renewal);
        }
        await backend.pass(5);
        await backend.flush();
      }
      equal(numbers.size, 10);
    }),
  );
}

function describeTombstones({ it }: TestApi, run: Run): void {
  it(
    "releases by a tombstone that keeps the term, and lets anyone in",
    run(async (_, store) => {
      const term = await granted(store);
      await release(store, term);
      const { record, storeTimeMs } = await store.read();
      deepEqual([record?.state, record?.term, record?.reservedFor], ["released", term, undefined]);
      ok((record?.expiresAtMs ?? 0) <= storeTimeMs);
      ok((await granted(store, { ...ben, basis: "tombstone" })) > term);
    }),
  );
  it(
    "L2: refuses `tombstone` while the lease is held",
    run(async (_, store) => {
      await granted(store);
      equal((await acquire(store, { ...ben, basis: "tombstone" })).outcome, "refused");
    }),
  );
  it(
    "releases nothing that is another's, of another term or released before",
    run(async (_, store) => {
      const term = await granted(store);
      await release(store, term, ben);
      await release(store, term - 1);
      await release(store, term, { nodeId: "anna", incarnation: "i-anna-2" });
      equal((await store.read()).record?.state, "held");
      await release(store, term, anna, "ben");
      await release(store, term, anna, "carl");
      equal((await store.read()).record?.reservedFor, "ben");
    }),
  );
  it(
    "keeps a reserved tombstone for its node, for a while",
    run(async (backend, store) => {
      const term = await granted(store);
      await store.release({ ...anna, term, reservedFor: "ben", reserveMs: 200 }, bounds);
      const carl = { nodeId: "carl", incarnation: "i-carl" };
      equal((await acquire(store, { ...carl, basis: "tombstone" })).outcome, "refused");
      const second = await granted(store, { ...ben, basis: "tombstone" });
      await store.release({ ...ben, term: second, reservedFor: "anna", reserveMs: 200 }, bounds);
      await backend.pass(201);
      await granted(store, { ...carl, basis: "tombstone" });
    }),
  );
  it(
    "deposes with a higher term, so that the holder's next renewal is lost",
    run(async (_, store) => {
      const term = await granted(store);
      const { deposed, reading } = await store.depose(ben, bounds);
      equal(deposed?.nodeId, "anna");
      equal(reading.record?.state, "deposed");
      ok((reading.record?.term ?? 0) > term);
      equal(reading.record?.termsGranted, 1);
      const outcome = await renew(store, term);
      equal(outcome.outcome, "lost");
      equal(outcome.reading.record?.state, "deposed");
      await granted(store, { ...ben, basis: "tombstone" });
    }),
  );
  it(
    "deposes nobody where nobody leads, and fences all the same",
    run(async (_, store) => {
      const { deposed, reading } = await store.depose(ben, bounds);
      equal(deposed, undefined);
      equal((await renew(store, (reading.record?.term ?? 0) - 1)).outcome, "lost");
    }),
  );
}

function describeChallenges({ it }: TestApi, run: Run): void {
  it(
    "shows the best challenger to the holder's next renewal, once",
    run(async (_, store) => {
      const term = await granted(store, { priority: 1 });
      await store.challenge({ nodeId: "equal", priority: 1 });
      equal((await store.read()).record?.challenger, undefined);
      await store.challenge({ nodeId: "ben", priority: 5 });
      await store.challenge({ nodeId: "carl", priority: 4 });
      const outcome = await renew(store, term, { priority: 1 });
      deepEqual(outcome.reading.record?.challenger, { nodeId: "ben", priority: 5 });
      equal((await store.read()).record?.challenger, undefined);
    }),
  );
  it(
    "ignores a challenge where nobody leads",
    run(async (_, store) => {
      await store.challenge({ nodeId: "ben", priority: 5 });
      equal((await store.read()).record, undefined);
      await release(store, await granted(store));
      await store.challenge({ nodeId: "ben", priority: 5 });
      equal((await store.read()).record?.challenger, undefined);
    }),
  );
}

function describeHints({ it }: TestApi, run: Run): void {
  it(
    "L6: hints at every change that a candidate or a holder waits for, and not at renewals",
    run(async (backend, store) => {
      await using other = backend.open();
      let hints = 0;
      const unsubscribe = other.subscribe(() => {
        hints += 1;
      });
      const hinted = async (change: () => Promise<unknown>): Promise<boolean> => {
        const before = hints;
        await change();
        for (let waited = 0; waited < 2000 && hints === before; waited += 20) await backend.pass(20);
        return hints > before;
      };
      // The subscription itself may hint when it begins.
      await backend.pass(200);
      let term = 0;
      ok(await hinted(async () => (term = await granted(store))), "no hint at the grant");
      ok(await hinted(() => store.challenge({ nodeId: "ben", priority: 5 })), "no hint at the challenge");
      ok(await hinted(() => release(store, term)), "no hint at the release");
      ok(await hinted(() => store.depose(ben, bounds)), "no hint at the deposition");
      term = await granted(store);
      await backend.pass(200);
      const before = hints;
      await renew(store, term);
      await backend.pass(200);
      equal(hints, before);
      unsubscribe();
      await release(store, term);
      await backend.pass(200);
      equal(hints, before);
    }),
  );
  it(
    "refuses calls after it was closed, and closes twice without harm",
    run(async (backend) => {
      const store = backend.open();
      await store.read();
      await store[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await rejects(store.read(), (error) => isParallaxError(error));
    }),
  );
}

function describeRestarts({ it }: TestApi, run: Run): void {
  it(
    "L2: believes neither tombstone nor expiry of before a restart, and no vacancy after it",
    run(async (backend, store) => {
      const before = await store.read();
      await release(store, await granted(store, { leaseDurationMs: 50 }));
      await backend.restart?.({ keepData: true });
      const after = await store.read();
      notEqual(after.lineage, before.lineage);
      notEqual(after.storeRunId, before.storeRunId);
      ok(after.storeRemembersMs < 10_000);
      equal(after.record?.state, "released");
      equal((await acquire(store, { basis: "tombstone" })).outcome, "refused");
      await granted(store, { leaseDurationMs: 50 });
      await backend.restart?.({ keepData: true });
      await backend.pass(60);
      equal((await acquire(store, { basis: "expired" })).outcome, "refused");
      await backend.restart?.({ keepData: false });
      equal((await store.read()).record, undefined);
      equal((await acquire(store, { basis: "vacant" })).outcome, "refused");
    }),
  );
  it(
    "lets a holder that has heard of it take its record over into the new lineage",
    run(async (backend, store) => {
      const term = await granted(store);
      const before = await store.read();
      await backend.restart?.({ keepData: true });
      const unheard = { renewal: 1, lineage: before.lineage };
      const first = await renew(store, term, { seen: unheard });
      equal(first.outcome, "renewed");
      equal(first.reading.record?.lineage, before.lineage);
      const { lineage, record } = first.reading;
      const second = await renew(store, term, { seen: { renewal: record?.renewal ?? 0, lineage } });
      equal(second.reading.record?.lineage, lineage);
    }),
  );
}

function describeEvents({ it }: TestApi, run: Run): void {
  it(
    "S1: appends each change of leadership in the step that makes it",
    run(async (backend, store) => {
      const first = await granted(store);
      await renew(store, first);
      await release(store, first);
      const second = await granted(store, { ...ben, basis: "tombstone" });
      const { reading } = await store.depose(anna, bounds);
      await store.depose(anna, bounds);
      deepEqual(await backend.events?.(), [
        { type: "leader-elected", nodeId: "anna", term: first },
        { type: "leader-stepped-down", nodeId: "anna", term: first },
        { type: "leader-elected", nodeId: "ben", term: second },
        { type: "leader-deposed", nodeId: "ben", term: reading.record?.term },
      ]);
    }),
  );
}
