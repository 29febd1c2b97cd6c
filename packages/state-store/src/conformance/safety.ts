import { deepEqual, equal } from "node:assert/strict";
import type {
  Change,
  ChangeOutcome,
  CreateChange,
  DeleteChange,
  Layout,
  RecordBackend,
  UpdateChange,
} from "../store.ts";
import { type Bench, mustGet, type Run, type TestApi, waiting } from "./harness.ts";

const layout: Layout = {
  collection: "raw",
  indexes: ["status"],
  final: { status: ["done"] },
  topic: "raw",
  schema: 1,
  maxLogEntries: 100,
  maxInboxBytes: 1000,
};
const nothing = { fence: undefined, event: undefined, expiry: "keep", version: undefined } as const;

function createChange(id: string, requestId: string): CreateChange {
  const { expiry, fence, event } = nothing;
  return { op: "create", id, requestId, set: [["status", "new"]], expiry, fence, event };
}

function updateChange(id: string, requestId: string, status: string): UpdateChange {
  const event = { tag: requestId, json: '{"type":"changed"}' };
  return { op: "update", id, requestId, ...nothing, event, set: [["status", status]], unset: [], where: [] };
}

async function send(backend: RecordBackend, ...changes: Change[]): Promise<readonly ChangeOutcome[]> {
  const [first] = changes;
  const partition = backend.partitionOf(first?.id ?? "");
  return (await backend.mutate(partition, layout, changes, { replicas: 0, repeatedSinceMs: undefined }))
    .outcomes;
}

export function describeSafety(api: TestApi, run: Run): void {
  api.it(
    "S2: answers a repeated request with its first result and changes nothing",
    run(async ({ backend, space }) => {
      const create = createChange("a", "r1");
      const first = await send(backend, create);
      await space.pass(3);
      deepEqual(await send(backend, create), first);
      const update = updateChange("a", "r2", "busy");
      const second = await send(backend, update);
      await space.pass(3);
      deepEqual(await send(backend, update, update), [...second, ...second]);
      equal((await space.events("raw")).length, 1);
      const [record] = await backend.read(backend.partitionOf("a"), "raw", ["a"]);
      equal(record?.version, 2);
    }),
  );
  api.it(
    "S2: takes no request for another whose id begins or ends with its own",
    run(async ({ backend }) => {
      await send(backend, createChange("a", "first.r1.last"));
      for (const [count, requestId] of ["r1.last", "first.r1", "r1", "last", "first"].entries()) {
        const [outcome] = await send(backend, updateChange("a", requestId, "busy"));
        deepEqual(outcome?.outcome === "ok" && outcome.version, count + 2, requestId);
      }
    }),
  );
  api.it(
    "S2: knows a request again although others have written since",
    run(async ({ backend }) => {
      await send(backend, createChange("a", "r1"));
      const [first] = await send(backend, updateChange("a", "r2", "mine"));
      await send(backend, updateChange("a", "r3", "theirs"), updateChange("a", "r4", "theirs"));
      deepEqual(await send(backend, updateChange("a", "r2", "mine")), [first]);
      const [record] = await backend.read(backend.partitionOf("a"), "raw", ["a"]);
      equal(record?.fields.status, "theirs");
    }),
  );
  api.it(
    "S2: does not repeat what the record may have forgotten",
    run(async ({ backend, space }) => {
      const partition = backend.partitionOf("a");
      const repeat = async (change: Change, repeatedSinceMs: number) => {
        const options = { replicas: 0, repeatedSinceMs };
        const { outcomes } = await backend.mutate(partition, layout, [change], options);
        return outcomes[0]?.outcome;
      };
      const sinceMs = await backend.time();
      await send(backend, createChange("a", "r0"));
      equal(await repeat(updateChange("a", "fresh", "x"), sinceMs), "ok");
      await send(backend, updateChange("a", "lost", "x"));
      const others = Array.from({ length: 99 }, (_, at) => updateChange("a", `other-${at}-0123456789`, "y"));
      await send(backend, ...others);
      equal(await repeat(updateChange("a", "lost", "x"), sinceMs), "forgotten");
      equal(await repeat(updateChange("a", "lost", "x"), 0), "forgotten");
      equal(await repeat(createChange("a", "r0"), sinceMs), "forgotten");
      equal(await repeat(updateChange("a", "other-98-0123456789", "y"), sinceMs), "ok");
      const [record] = await backend.read(partition, "raw", ["a"]);
      equal(record?.fields.status, "y");
      equal(
        await repeat(updateChange("a", "of-a-clock-that-went-back", "z"), sinceMs + 3_600_000),
        "forgotten",
      );
      await space.pass(3);
      const laterMs = await backend.time();
      equal(await repeat(updateChange("a", "new", "z"), laterMs), "ok");
    }),
  );
  api.it(
    "S2: knows the request that made a record final, and the one that deleted it",
    run(async ({ backend }) => {
      await send(backend, createChange("a", "r1"));
      const last = updateChange("a", "r2", "done");
      deepEqual(await send(backend, last), await send(backend, last));
      await send(backend, createChange("b", "r1"));
      const remove: Change = {
        ...nothing,
        op: "delete",
        id: "b",
        requestId: "r3",
        where: [],
        reason: "asked",
        leftovers: [],
      };
      const first = await send(backend, remove);
      equal(first[0]?.outcome, "ok");
      deepEqual(await send(backend, remove), first);
      deepEqual(await send(backend, { ...remove, requestId: "r4" }), [{ outcome: "missing" }]);
    }),
  );
  api.it(
    "S2: knows the requests of a record that is gone, also in the next one of its id",
    run(async ({ backend, space }) => {
      const remove = (requestId: string): DeleteChange => {
        const { fence, event, version } = nothing;
        return {
          op: "delete",
          id: "a",
          requestId,
          fence,
          event,
          version,
          where: [],
          reason: "asked",
          leftovers: [],
        };
      };
      const create = createChange("a", "r1");
      const update = updateChange("a", "r2", "busy");
      const first = [...(await send(backend, create)), ...(await send(backend, update))];
      const [removed] = await send(backend, remove("r3"));
      // Somebody else's delete came between: the record must not come back because an answer was lost.
      deepEqual(await send(backend, create, update), first);
      deepEqual(await backend.read(backend.partitionOf("a"), "raw", ["a"]), [undefined]);
      equal((await send(backend, createChange("a", "r4")))[0]?.outcome, "ok");
      deepEqual(await send(backend, create, update, remove("r3")), [...first, removed]);
      deepEqual(
        (await space.events("raw")).map(({ version }) => version),
        [2],
      );
      equal((await backend.read(backend.partitionOf("a"), "raw", ["a"]))[0]?.version, 1);
    }),
  );
  api.it(
    "S4: does not collect what has not expired",
    run(async ({ backend, space }) => {
      const { fence, event, version } = nothing;
      const collect = (requestId: string): DeleteChange => ({
        ...{
          op: "delete",
          id: "a",
          requestId,
          fence,
          event,
          version,
          where: [],
          reason: "expired",
          leftovers: [],
        },
      });
      await send(backend, { ...createChange("a", "r1"), expiry: 3_600_000 });
      deepEqual(await send(backend, collect("r2")), [{ outcome: "conflict", version: 1 }]);
      await send(backend, { ...updateChange("a", "r3", "x"), expiry: 0 });
      await space.pass(1);
      equal((await send(backend, collect("r4")))[0]?.outcome, "ok");
    }),
  );
  api.it(
    "L8: names the higher fence of whichever partition has one",
    run(async ({ backend, store }) => {
      const last = backend.partitions - 1;
      deepEqual(await backend.raiseFence(last, 9), { raised: true, fence: 9 });
      deepEqual(await store.raiseFence(5), { outcome: "fenced", fence: 9 });
      deepEqual(await store.raiseFence(10), { outcome: "ok" });
    }),
  );
  api.it(
    "S2: does not grant a late attempt what its repetition was refused",
    run(async ({ backend }) => {
      const partition = backend.partitionOf("a");
      const repeat = async (change: Change) => {
        const options = { replicas: 0, repeatedSinceMs: 0 };
        const { outcomes } = await backend.mutate(partition, layout, [change], options);
        return outcomes[0]?.outcome;
      };
      const late = createChange("a", "r1");
      const bound: UpdateChange = { ...updateChange("a", "r2", "x"), where: [["status", "busy"]] };
      equal(await repeat(bound), "missing");
      await send(backend, createChange("a", "r3"));
      equal(await repeat(late), "exists");
      const other: UpdateChange = { ...updateChange("a", "r4", "x"), where: [["status", "busy"]] };
      equal(await repeat(other), "conflict");
      await send(backend, updateChange("a", "r5", "busy"));
      // Now they could be applied, if they had not been refused.
      deepEqual(await send(backend, bound, other), [
        { outcome: "conflict", version: 2 },
        { outcome: "conflict", version: 2 },
      ]);
      equal((await send(backend, updateChange("a", "r5", "busy")))[0]?.outcome, "ok");
      await send(backend, {
        ...nothing,
        op: "delete",
        id: "a",
        requestId: "r6",
        where: [],
        reason: "asked",
        leftovers: [],
      });
      deepEqual(await send(backend, late), [{ outcome: "forgotten" }]);
      deepEqual(await backend.read(partition, "raw", ["a"]), [undefined]);
    }),
  );
  api.it(
    "refuses a version that has come to mean another state",
    run(async ({ backend }) => {
      await send(backend, createChange("a", "r1"), updateChange("a", "r2", "theirs"));
      const bound = (requestId: string, madeBy: string) => ({
        ...updateChange("a", requestId, "x"),
        version: 2,
        madeBy,
      });
      deepEqual(await send(backend, bound("r3", "r")), [{ outcome: "conflict", version: 2 }]);
      deepEqual(await send(backend, bound("r3", "lost")), [{ outcome: "conflict", version: 2 }]);
      equal((await send(backend, bound("r3", "r2")))[0]?.outcome, "ok");
      const [record] = await backend.read(backend.partitionOf("a"), "raw", ["a"]);
      equal(record?.madeBy, "r3");
    }),
  );
  api.it(
    "S1: a refused change leaves everything as it was, and the others of its call are applied",
    run(async ({ backend, space }) => {
      await send(backend, createChange("a", "r1"));
      const outcomes = await send(
        backend,
        { ...updateChange("a", "r2", "bad"), version: 5 },
        updateChange("missing", "r3", "bad"),
        updateChange("a", "r4", "good"),
      );
      deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ["conflict", "missing", "ok"],
      );
      deepEqual(await space.events("raw"), [{ type: "changed", version: 2 }]);
    }),
  );
  api.it(
    "S3: refuses a fence below the highest that the partition has seen, in every collection",
    run(async ({ jobs, store }) => {
      await jobs.create("a", waiting, { fence: 5 });
      deepEqual(await jobs.update("a", { set: { attempts: 1 } }, { fence: 4 }), {
        outcome: "fenced",
        fence: 5,
      });
      equal((await jobs.update("a", { set: { attempts: 2 } }, { fence: 5 })).outcome, "ok");
      equal((await jobs.update("a", { set: { attempts: 3 } })).outcome, "ok");
      deepEqual(await store.raiseFence(9), { outcome: "ok" });
      deepEqual(await store.raiseFence(8), { outcome: "fenced", fence: 9 });
      deepEqual(await jobs.create("b", waiting, { fence: 8 }), { outcome: "fenced", fence: 9 });
      deepEqual(await jobs.delete("a", { fence: 8 }), { outcome: "fenced", fence: 9 });
      deepEqual(await jobs.update("gone", {}, { fence: 8 }), { outcome: "fenced", fence: 9 });
      equal((await mustGet(jobs, "a")).attempts, 3);
    }),
  );
  api.it(
    "L8: raises the fence of every partition",
    run(async ({ backend, store }) => {
      const term = 1_795_468_577_123;
      deepEqual(await store.raiseFence(term), { outcome: "ok" });
      for (let partition = 0; partition < backend.partitions; partition += 1) {
        deepEqual(await backend.raiseFence(partition, 1), { raised: false, fence: term });
      }
    }),
  );
  api.it("S6: a final record never changes again", run(finalStays));
  api.it(
    "lets exactly one of many writers with the same version through",
    run(async ({ jobs, another }) => {
      const other = await another();
      await jobs.create("a", waiting);
      const attempts = Array.from({ length: 40 }, (_, at) =>
        (at % 2 ? jobs : other.jobs).update("a", { set: { attempts: at } }, { version: 1 }),
      );
      const outcomes = await Promise.all(attempts);
      equal(outcomes.filter(({ outcome }) => outcome === "ok").length, 1);
      equal((await jobs.get("a"))?.version, 2);
    }),
  );
  api.it(
    "applies changes of one caller to one record in the order in which they were made",
    run(async ({ jobs }) => {
      const steps = Array.from({ length: 30 }, (_, at) => at + 1);
      await Promise.all([
        jobs.create("a", waiting),
        ...steps.map((attempts) =>
          jobs.update("a", { set: { attempts } }, { where: { attempts: attempts - 1 } }),
        ),
      ]);
      equal((await mustGet(jobs, "a")).attempts, 30);
    }),
  );
}

async function finalStays({ jobs, space }: Bench): Promise<void> {
  await jobs.create("a", waiting);
  const last = await jobs.update("a", { set: { status: "done" } }, { expiresInMs: 3_600_000 });
  equal(last.outcome, "ok");
  const refused = { outcome: "final", version: 2 };
  deepEqual(await jobs.update("a", { set: { status: "waiting" } }), refused);
  deepEqual(await jobs.update("a", {}, { expiresInMs: null }), refused);
  deepEqual(await jobs.update("a", {}, { version: 99 }), refused);
  deepEqual(await jobs.delete("a"), refused);
  deepEqual(await jobs.deposit("a", "task", "late"), { outcome: "final" });
  equal((await jobs.create("a", waiting)).outcome, "exists");
  deepEqual(await mustGet(jobs, "a"), { status: "done", attempts: 0 });
  await jobs.create("b", waiting);
  await jobs.update("b", { set: { status: "done" } }, { expiresInMs: 0 });
  await space.pass(1);
  equal((await jobs.delete("b")).outcome, "ok", "it has expired");
}
