import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isParallaxError } from "@parallax/core";
import type { Collection } from "../collection.ts";
import { type Capabilities, type Job, type Run, type TestApi, waiting } from "./harness.ts";

const isFenced = (error: unknown) => isParallaxError(error, "fenced");

async function createMany(jobs: Collection<Job>, ids: readonly string[], expiresInMs?: number) {
  const options = expiresInMs === undefined ? {} : { expiresInMs };
  await Promise.all(ids.map((id) => jobs.create(id, waiting, { ...options, event: { type: "created" } })));
}

export function describeUpkeep(api: TestApi, run: Run, { partitions }: Capabilities): void {
  api.it(
    "S4: collects what has expired, with all that belongs to it, and nothing else",
    run(async ({ jobs, space }) => {
      await createMany(jobs, ["short", "kept", "prolonged"], 20);
      await jobs.create("long", waiting, { expiresInMs: 3_600_000 });
      await jobs.create("ever", waiting);
      await jobs.deposit("short", "task", "result");
      await jobs.update("kept", {}, { expiresInMs: null });
      await jobs.update("prolonged", {}, { expiresInMs: 3_600_000 });
      await space.pass(30);
      ok(await jobs.get("short"), "stays visible until it is collected");
      deepEqual(await jobs.collectExpired({}), { removed: 1, more: false });
      equal(await jobs.get("short"), undefined);
      equal(await jobs.log("short"), undefined);
      deepEqual(await jobs.inbox("short"), {});
      equal(await jobs.count(), 4);
      deepEqual(await jobs.values("status"), { waiting: 4 });
      equal((await jobs.get("kept"))?.expiresAtMs, undefined);
      ok(((await jobs.get("prolonged"))?.expiresAtMs ?? 0) > 0);
      deepEqual(await jobs.collectExpired({}), { removed: 0, more: false });
    }),
  );
  api.it(
    "S4: collects in bounded steps and says whether more wait",
    run(async ({ jobs, space }) => {
      await createMany(
        jobs,
        Array.from({ length: 25 }, (_, at) => `r${at}`),
        1,
      );
      await space.pass(10);
      let removed = 0;
      let steps = 0;
      for (let more = true; more && steps < 9; steps += 1) {
        const step = await jobs.collectExpired({ limit: 10 });
        ok(step.removed <= 10);
        removed += step.removed;
        more = step.more;
      }
      equal(removed, 25);
      equal(steps, 3);
      equal(await jobs.count(), 0);
    }),
  );
  api.it(
    "S4, S6: collects final records too",
    run(async ({ jobs, space }) => {
      await jobs.create("a", waiting);
      await jobs.update("a", { set: { status: "done" } }, { expiresInMs: 5 });
      await space.pass(15);
      deepEqual(await jobs.collectExpired({ fence: 3 }), { removed: 1, more: false });
    }),
  );
  api.it(
    "S3: removes nothing for a leader that has been followed by another",
    run(async ({ jobs, space, store }) => {
      await createMany(jobs, ["a", "b"], 1);
      await store.raiseFence(7);
      await space.pass(10);
      await rejects(() => jobs.collectExpired({ fence: 6 }), isFenced);
      const trimming = { fence: 6, index: "status", values: ["done"], max: 0 } as const;
      await jobs.update("a", { set: { status: "done" } });
      await rejects(() => jobs.trim(trimming), isFenced);
      equal(await jobs.count(), 2);
      deepEqual(await jobs.collectExpired({ fence: 7 }), { removed: 2, more: false });
    }),
  );
  api.it(
    "S7: trims the oldest finished records down to a number, in bounded steps",
    run(async ({ jobs, space }) => {
      const ids = Array.from({ length: 12 }, (_, at) => `r${String(at).padStart(2, "0")}`);
      await createMany(jobs, [...ids, "open"]);
      for (const [at, id] of ids.entries()) {
        await jobs.update(id, { set: { status: at % 2 ? "done" : "failed" } });
        await space.pass(2);
      }
      const trimming = { index: "status", values: ["done", "failed"], max: 4, limit: 5 } as const;
      deepEqual(await jobs.trim(trimming), { removed: 5, more: true });
      deepEqual(await jobs.trim(trimming), { removed: 3, more: false });
      deepEqual(await jobs.trim(trimming), { removed: 0, more: false });
      const left = (await jobs.list()).records.map(({ id }) => id).sort();
      deepEqual(left, ["open", ...ids.slice(-4)].sort());
    }),
  );
  api.it(
    "S6: does not trim records that are not final",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting);
      const trimming = { index: "status", values: ["waiting"], max: 0 } as const;
      await rejects(
        () => jobs.trim(trimming),
        (error) => isParallaxError(error, "invalid_value"),
      );
    }),
  );
  api.it(
    "tells the store's time, and its memory",
    run(async ({ backend, store, space }) => {
      equal(backend.partitions, partitions);
      const before = await store.time();
      ok(Number.isSafeInteger(before));
      await space.pass(5);
      ok((await store.time()) - before >= 5);
      for (let partition = 0; partition < partitions; partition += 1) {
        const { usedBytes, limitBytes } = await backend.memory(partition);
        ok(usedBytes > 0 && (limitBytes === undefined || limitBytes > usedBytes));
      }
      equal(await store.admits(), true);
    }),
  );
  api.it(
    "shows a record's key to people",
    run(async ({ jobs }) => {
      ok(jobs.keyOf("exec_1").endsWith("job:exec_1"));
    }),
  );
}
