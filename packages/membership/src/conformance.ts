import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import type { MemberReport, MembershipEvent, View } from "./membership.ts";
import type {
  BeatOutcome,
  BeatRequest,
  JoinOutcome,
  MembershipStore,
  SweepOutcome,
  SweepRequest,
} from "./store.ts";

/** What the suite needs of a test runner: vitest, node:test and jest fit as they are. */
export interface TestApi {
  describe(name: string, define: () => void): void;
  it(name: string, test: () => Promise<void>): void;
}

/** A fresh, empty table. */
export interface MembershipBackend {
  /** A store of another node on the same table. The suite disposes of it. */
  open(): MembershipStore;
  /** Lets at least `ms` of the store's time pass. */
  pass(ms: number): Promise<void>;
  /** Loses everything and goes on. */
  flush(): Promise<void>;
  /** A new lineage with the data kept, as after a fail-over. Needed with the capability `failOver`. */
  failOver?(): Promise<void>;
  /** The events that went to the log of events so far. Needed with the capability `events`. */
  events?(): Promise<
    readonly { readonly type: string; readonly member?: unknown; readonly version?: unknown }[]
  >;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a backend can show. The suite leaves out what it cannot. */
export interface MembershipCapabilities {
  readonly failOver: boolean;
  readonly events: boolean;
}

type Run = (test: (nodes: Nodes) => Promise<void>) => () => Promise<void>;

interface Nodes {
  readonly backend: MembershipBackend;
  readonly store: MembershipStore;
  readonly other: MembershipStore;
}

const bounds = { deadlineMs: 5000 };
const nothing: MemberReport = { leading: undefined, capacity: {}, facts: {} };
/** Suspects after 300 ms and fails after 600. */
const limits = { checkIntervalMs: 200, unhealthyThreshold: 3, removeAfterMs: 400 };
const always = { notBeforeMs: 0, notAfterMs: Number.MAX_SAFE_INTEGER };

/** The suite that every {@link MembershipStore} must pass. `makeBackend` is called once for each test. */
export function membershipStoreConformance(
  api: TestApi,
  makeBackend: () => Promise<MembershipBackend>,
  capabilities: MembershipCapabilities,
): void {
  const run: Run = (test) => async () => {
    await using backend = await makeBackend();
    await using store = backend.open();
    await using other = backend.open();
    await test({ backend, store, other });
  };
  api.describe("joins and beats", () => describeBeats(api, run));
  api.describe("ends", () => describeEnds(api, run));
  api.describe("sweeps", () => describeSweeps(api, run));
  api.describe("views", () => describeViews(api, run, capabilities));
}

function describeBeats({ it }: TestApi, run: Run): void {
  it(
    "shows a member that has joined with all that it said of itself",
    run(async ({ store, other }) => {
      const report = {
        leading: { term: 1_700_000_000_123, remainingMs: 9000 },
        capacity: { "classification+german": 4, empty: 0 },
        facts: { functions: ["a1", "b2"], none: [], version: "1.2.3", ready: true, load: 0.25 },
      };
      const joined = await join(store, "node-0", { zone: "north", report });
      equal(joined.outcome, "joined");
      const view = await other.read(bounds);
      const [member] = view.members;
      const { joinedAtMs, lastBeatAtMs, ...rest } = member ?? fail("no member");
      deepEqual(rest, {
        id: "node-0",
        incarnation: "inc-node-0",
        address: "node-0:8080",
        zone: "north",
        status: "healthy",
        report,
      });
      equal(joinedAtMs, lastBeatAtMs);
      ok(view.observedAtMs >= lastBeatAtMs);
      equal(view.version, 1);
    }),
  );

  it(
    "sorts members by id, numbers by their value",
    run(async ({ store }) => {
      for (const id of ["node-10", "node-9", "alpha", "node-1"]) await join(store, id);
      const { members } = await store.read(bounds);
      deepEqual(
        members.map(({ id }) => id),
        ["alpha", "node-1", "node-9", "node-10"],
      );
    }),
  );

  it(
    "takes a join that is repeated for what it is",
    run(async ({ store }) => {
      const first = await join(store, "node-0");
      const second = await join(store, "node-0", { address: "node-0:9090" });
      equal(second.outcome, "joined");
      deepEqual([second.view.epoch, second.view.version], [first.view.epoch, 1]);
      equal(second.view.members[0]?.address, "node-0:9090");
    }),
  );

  it(
    "brings the view with a beat only if it changed",
    run(async ({ store, other }) => {
      const { view } = await join(store, "node-0");
      const unchanged = await beat(store, "node-0", { known: view });
      deepEqual([unchanged.outcome, viewIn(unchanged)], ["ok", undefined]);
      await join(other, "node-1");
      const changed = await beat(store, "node-0", { known: view });
      equal(viewIn(changed)?.members.length, 2);
      equal(viewIn(await beat(store, "node-0", { known: undefined }))?.version, 2);
    }),
  );

  it(
    "stamps beats with its own time and keeps the report",
    run(async ({ backend, store }) => {
      const { view } = await join(store, "node-0");
      await backend.pass(30);
      const report = { ...nothing, capacity: { any: 9 } };
      const answer = await beat(store, "node-0", { report });
      const [member] = (await store.read(bounds)).members;
      equal(member?.lastBeatAtMs, answer.storeTimeMs);
      ok((member?.lastBeatAtMs ?? 0) >= view.observedAtMs + 30);
      deepEqual(member?.report, report);
    }),
  );

  it(
    "never inserts a member that beats without having joined",
    run(async ({ store }) => {
      equal((await beat(store, "node-0")).outcome, "rejoin");
      equal((await store.read(bounds)).members.length, 0);
    }),
  );
}

function describeEnds({ it }: TestApi, run: Run): void {
  it(
    "ends the older of two processes with one id, and names both",
    run(async ({ store, other }) => {
      await join(store, "node-0", { incarnation: "old", address: "a:1" });
      const newer = await join(other, "node-0", { incarnation: "new", address: "b:2" });
      deepEqual(newer.outcome === "joined" && newer.replaced, { incarnation: "old", address: "a:1" });
      const { storeTimeMs: _, ...answer } = await beat(store, "node-0", { incarnation: "old" });
      const by = { incarnation: "new", address: "b:2" };
      deepEqual(answer, { outcome: "ended", reason: "replaced", by });
      equal((await join(store, "node-0", { incarnation: "old" })).outcome, "ended");
      equal((await store.read(bounds)).members[0]?.incarnation, "new");
      equal(await store.hasEnded("old", bounds), true);
      equal(await store.hasEnded("new", bounds), false);
    }),
  );

  it(
    "ends whoever leaves, and nobody who shares its id",
    run(async ({ store, other }) => {
      await join(store, "node-0");
      await join(other, "node-1");
      await other.leave({ nodeId: "node-1", incarnation: "another" }, bounds);
      equal((await store.read(bounds)).members.length, 2);
      await other.leave({ nodeId: "node-1", incarnation: "inc-node-1" }, bounds);
      equal((await store.read(bounds)).members.length, 1);
      const late = await beat(other, "node-1");
      deepEqual([late.outcome, late.outcome === "ended" && late.reason], ["ended", "removed"]);
      equal(await store.hasEnded("inc-node-1", bounds), true);
    }),
  );

  it(
    "refuses a join that arrives after its sender has left",
    run(async ({ store }) => {
      await store.leave({ nodeId: "node-0", incarnation: "inc-node-0" }, bounds);
      equal((await join(store, "node-0")).outcome, "ended");
      equal((await store.read(bounds)).members.length, 0);
    }),
  );

  it(
    "declares an absent incarnation ended, but no member",
    run(async ({ store }) => {
      await join(store, "node-0");
      equal(await store.declareEnded("inc-node-0", bounds), false);
      equal(await store.hasEnded("inc-node-0", bounds), false);
      equal(await store.declareEnded("gone", bounds), true);
      equal(await store.declareEnded("gone", bounds), true);
      equal((await join(store, "node-1", { incarnation: "gone" })).outcome, "ended");
    }),
  );

  it(
    "lets an incarnation go on whose row it lost",
    run(async ({ backend, store }) => {
      const { view } = await join(store, "node-0");
      await backend.flush();
      const memberEpoch = view.epoch;
      equal((await beat(store, "node-0", { known: view, memberEpoch })).outcome, "rejoin");
      const again = await join(store, "node-0");
      equal(again.outcome, "joined");
      notEqual(again.view.epoch, view.epoch);
    }),
  );

  it(
    "does not take a look into the new epoch for a membership of it",
    run(async ({ backend, store, other }) => {
      const { view } = await join(store, "node-0");
      await backend.flush();
      await join(other, "node-1");
      const known = await store.read(bounds);
      equal((await beat(store, "node-0", { known, memberEpoch: view.epoch })).outcome, "rejoin");
    }),
  );

  it(
    "drains by id or by incarnation, once, and nobody who failed or is not there",
    run(async ({ store, other }) => {
      await join(store, "node-0");
      await join(store, "node-1");
      await store.drain({ nodeId: "node-1", incarnation: "another" }, bounds);
      const drained = await store.drain({ nodeId: "node-1", incarnation: "inc-node-1" }, bounds);
      deepEqual(statuses(drained), { "node-0": "healthy", "node-1": "draining" });
      const again = await other.drain({ nodeId: "node-1" }, bounds);
      equal(again.version, drained.version);
      equal((await other.drain({ nodeId: "node-9" }, bounds)).version, drained.version);
      await beat(store, "node-1");
      equal(statuses(await store.read(bounds))["node-1"], "draining");
    }),
  );
}

function describeSweeps({ it }: TestApi, run: Run): void {
  it(
    "suspects after a missed interval, fails after the threshold, removes later",
    run(async ({ backend, store }) => {
      for (const id of ["node-0", "node-1", "silent"]) await join(store, id);
      const seen: string[] = [];
      const agesMs: Record<string, number> = {};
      for (let round = 0; round < 60 && !seen.includes("removed"); round += 1) {
        await backend.pass(40);
        await beat(store, "node-0");
        await beat(store, "node-1");
        const { events, view } = await sweep(store);
        for (const { type } of events) {
          seen.push(type);
          const silent = view.members.find(({ id }) => id === "silent");
          agesMs[type] = view.observedAtMs - (silent?.lastBeatAtMs ?? Number.NaN);
        }
      }
      deepEqual(seen, ["suspected", "failed", "removed"]);
      ok((agesMs.suspected ?? 0) >= 300 && (agesMs.failed ?? 0) >= 600, JSON.stringify(agesMs));
      equal(await store.hasEnded("inc-silent", bounds), true);
      const late = await beat(store, "silent");
      deepEqual([late.outcome, late.outcome === "ended" && late.reason], ["ended", "failed"]);
    }),
  );

  it(
    "takes a suspect back when it beats, and a failed one never",
    run(async ({ backend, store }) => {
      for (const id of ["node-0", "node-1", "late"]) await join(store, id);
      await age(backend, store, ["node-0", "node-1"], "suspected");
      equal(statuses(await store.read(bounds)).late, "suspect");
      await beat(store, "late");
      equal(statuses(await store.read(bounds)).late, "healthy");
      await age(backend, store, ["node-0", "node-1"], "failed");
      equal((await beat(store, "late")).outcome, "ended");
      equal((await join(store, "late")).outcome, "ended");
      const reborn = await join(store, "late", { incarnation: "second" });
      deepEqual([reborn.outcome, reborn.outcome === "joined" && reborn.replaced], ["joined", undefined]);
      equal(statuses(reborn.view).late, "healthy");
    }),
  );

  it(
    "does nothing outside of the time that the sweeper believes",
    run(async ({ backend, store }) => {
      const { view } = await join(store, "node-0");
      await backend.pass(10);
      for (const believed of [
        { notBeforeMs: 0, notAfterMs: view.observedAtMs },
        { notBeforeMs: view.observedAtMs + 3_600_000, notAfterMs: Number.MAX_SAFE_INTEGER },
      ]) {
        const outcome = await sweep(store, { believed });
        deepEqual([outcome.swept, outcome.events.length, outcome.shiftedMs], [false, 0, 0]);
      }
      equal((await sweep(store)).swept, true);
    }),
  );

  it(
    "forgives a gap in which nobody swept",
    run(async ({ backend, store }) => {
      await join(store, "node-0");
      await join(store, "node-1");
      await sweep(store);
      await backend.pass(1000);
      await beat(store, "node-0");
      const { shiftedMs, events, nextInMs } = await sweep(store);
      deepEqual(events, []);
      ok(shiftedMs >= 1000, `shifted by ${shiftedMs}`);
      ok(nextInMs !== undefined && nextInMs > 0 && nextInMs <= 300, `next in ${nextInMs}`);
    }),
  );

  it(
    "spares a majority that falls silent together once",
    run(async ({ backend, store }) => {
      for (const id of ["node-0", "a", "b", "c"]) await join(store, id);
      const startedAtMs = (await store.read(bounds)).observedAtMs;
      const failed = await age(backend, store, ["node-0"], "failed");
      ok(failed.view.observedAtMs - startedAtMs >= 1100, "failed before a second time-out");
    }),
  );
}

function describeViews({ it }: TestApi, run: Run, capabilities: MembershipCapabilities): void {
  it(
    "numbers transitions without holes and tells them again to whoever missed them",
    run(async ({ store, other }) => {
      const { view } = await join(store, "node-0");
      await join(other, "node-1");
      await join(other, "node-1", { incarnation: "second" });
      await store.drain({ nodeId: "node-0" }, bounds);
      await other.leave({ nodeId: "node-1", incarnation: "second" }, bounds);
      const history = (await store.history(view, bounds)) ?? fail("no history");
      deepEqual(history.map(short), [
        "2 joined node-1 inc-node-1",
        "3 replaced node-1 inc-node-1",
        "4 joined node-1 second",
        "5 draining node-0 inc-node-0",
        "6 left node-1 second",
      ]);
      const now = await store.read(bounds);
      equal(now.version, 6);
      deepEqual(await store.history(now, bounds), []);
      equal(await store.history({ epoch: "another", version: 0 }, bounds), undefined);
      equal(await store.history({ epoch: now.epoch, version: 7 }, bounds), undefined);
    }),
  );

  it(
    "begins a new epoch for a caller that has seen a later version of this one",
    run(async ({ store }) => {
      const { view } = await join(store, "node-0");
      const known = { epoch: view.epoch, version: view.version + 3 };
      const answer = await beat(store, "node-0", { known, memberEpoch: view.epoch });
      equal(answer.outcome, "ok");
      notEqual(viewIn(answer)?.epoch, view.epoch);
      deepEqual(statuses(viewIn(answer)), { "node-0": "healthy" });
    }),
  );

  it(
    "begins a new epoch after everything was lost",
    run(async ({ backend, store }) => {
      const before = await store.read(bounds);
      await backend.flush();
      const after = await store.read(bounds);
      ok(after.epoch !== "" && after.epoch !== before.epoch);
      equal((await store.read(bounds)).epoch, after.epoch);
    }),
  );

  it(
    "hints at every change of the view, until the hints are not wanted any more",
    run(async ({ backend, store, other }) => {
      let hints = 0;
      const unsubscribe = other.subscribe(() => {
        hints += 1;
      });
      // The first subscription may still be on its way.
      for (let index = 0; hints === 0 && index < 100; index += 1) {
        await join(store, `node-${index}`);
        await backend.pass(20);
      }
      ok(hints > 0);
      unsubscribe();
      await backend.pass(20);
      const before = hints;
      await join(store, "last");
      await backend.pass(50);
      equal(hints, before);
    }),
  );

  if (capabilities.failOver) {
    it(
      "begins a new epoch after a fail-over, with the members that it has, and none of them ends by it",
      run(async ({ backend, store }) => {
        const { view } = await join(store, "node-0");
        await backend.failOver?.();
        const answer = await beat(store, "node-0", { known: view, memberEpoch: view.epoch });
        equal(answer.outcome, "ok");
        const after = viewIn(answer) ?? fail("no new view");
        notEqual(after.epoch, view.epoch);
        deepEqual(statuses(after), { "node-0": "healthy" });
        equal(await store.history(view, bounds), undefined);
      }),
    );
  }

  if (capabilities.events) {
    it(
      "puts each transition into the log of events, in the step that makes it",
      run(async ({ backend, store }) => {
        await join(store, "node-0");
        await join(store, 'odd"\\id');
        await store.drain({ nodeId: "node-0" }, bounds);
        await store.leave({ nodeId: "node-0", incarnation: "inc-node-0" }, bounds);
        const events = (await backend.events?.()) ?? [];
        deepEqual(
          events.map(({ type, member, version }) => [type, member, version]),
          [
            ["member-joined", "node-0", 1],
            ["member-joined", 'odd"\\id', 2],
            ["member-draining", "node-0", 3],
            ["member-left", "node-0", 4],
          ],
        );
      }),
    );
  }
}

interface Who {
  readonly incarnation?: string;
  readonly address?: string;
  readonly zone?: string;
  readonly report?: MemberReport;
}

function join(store: MembershipStore, nodeId: string, who: Who = {}): Promise<JoinOutcome> {
  const { incarnation = `inc-${nodeId}`, address = `${nodeId}:8080`, zone, report = nothing } = who;
  return store.join({ nodeId, incarnation, address, zone, report }, bounds);
}

function beat(
  store: MembershipStore,
  nodeId: string,
  request: Partial<BeatRequest> = {},
): Promise<BeatOutcome> {
  const base = {
    nodeId,
    incarnation: `inc-${nodeId}`,
    report: nothing,
    memberEpoch: undefined,
    known: undefined,
  };
  return store.beat({ ...base, ...request }, bounds);
}

function sweep(store: MembershipStore, request: Partial<SweepRequest> = {}): Promise<SweepOutcome> {
  return store.sweep({ ...limits, believed: always, ...request }, bounds);
}

/** Lets the members that are not `alive` grow old until a transition of this type comes. */
async function age(
  backend: MembershipBackend,
  store: MembershipStore,
  alive: readonly string[],
  until: MembershipEvent["type"],
): Promise<SweepOutcome> {
  for (let round = 0; round < 100; round += 1) {
    await backend.pass(40);
    for (const id of alive) await beat(store, id);
    const outcome = await sweep(store);
    if (outcome.events.some(({ type }) => type === until)) return outcome;
  }
  return fail(`nobody was ${until}`);
}

function viewIn(answer: BeatOutcome): View | undefined {
  return answer.outcome === "ok" ? answer.view : undefined;
}

function statuses(view: View | undefined): Record<string, string> {
  return Object.fromEntries((view?.members ?? []).map(({ id, status }) => [id, status]));
}

function short(event: MembershipEvent): string {
  return "member" in event
    ? `${event.version} ${event.type} ${event.member} ${event.incarnation}`
    : event.type;
}

function fail(message: string): never {
  throw new Error(message);
}
