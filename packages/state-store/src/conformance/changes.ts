import { deepEqual, equal, ok } from "node:assert/strict";
import { z } from "zod";
import { mustGet, type Run, type TestApi, waiting } from "./harness.ts";

/** Values that must come back as they went in. */
const values: readonly unknown[] = [
  "plain",
  "",
  "5",
  "null",
  "true",
  '"quoted"',
  "{not json",
  "line\nbreak\ttab",
  "naïve 日本語 🚀",
  "a|b%7C%",
  5,
  -0.5,
  1e21,
  true,
  null,
  [1, "2", null],
  { deep: { list: [{ a: 1 }] } },
];

export function describeChanges(api: TestApi, run: Run): void {
  api.it(
    "creates a record once and shows the one that is there to whoever comes second",
    run(async ({ jobs }) => {
      const created = await jobs.create("a", { ...waiting, owner: "n1" });
      equal(created.outcome, "created");
      const second = await jobs.create("a", { ...waiting, owner: "n2" });
      equal(second.outcome, "exists");
      if (second.outcome !== "exists") return;
      deepEqual(second.record.value, { ...waiting, owner: "n1" });
      equal(second.record.version, 1);
    }),
  );
  api.it(
    "sets and takes away fields, and raises the version by one each time",
    run(async ({ jobs, store }) => {
      await jobs.create("a", { ...waiting, note: "old", owner: "n1" });
      const updated = await jobs.update("a", { set: { attempts: 1 }, unset: ["note"] });
      equal(updated.outcome, "ok");
      equal("version" in updated && updated.version, 2);
      deepEqual(await mustGet(jobs, "a"), { ...waiting, owner: "n1", attempts: 1 });
      await jobs.update("a", { set: { owner: undefined } });
      const record = await jobs.get("a");
      deepEqual(record?.value, { ...waiting, attempts: 1 });
      equal(record?.version, 3);
      const nowMs = await store.time();
      ok(record && record.createdAtMs <= record.updatedAtMs && record.updatedAtMs <= nowMs);
    }),
  );
  api.it(
    "gives every value back as it was",
    run(async ({ store }) => {
      const schema = z.object({
        text: z.string(),
        anything: z.unknown(),
        either: z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.unknown())]).optional(),
      });
      const things = store.collection({ name: "thing", schema });
      for (const [at, anything] of values.entries()) {
        const text = typeof anything === "string" ? anything : "-";
        const simple = z.union([z.string(), z.number(), z.boolean(), z.null()]).safeParse(anything);
        const value = { text, anything, ...(simple.success && { either: simple.data }) };
        await things.create(`t${at}`, value);
        deepEqual((await things.get(`t${at}`))?.value, value);
      }
    }),
  );
  api.it(
    "changes a record only under the version and the fields that were expected",
    run(async ({ jobs }) => {
      await jobs.create("a", { ...waiting, owner: "n1" });
      const patch = { set: { attempts: 9 } };
      deepEqual(await jobs.update("a", patch, { version: 2 }), { outcome: "conflict", version: 1 });
      deepEqual(await jobs.update("a", patch, { where: { owner: "n2" } }), {
        outcome: "conflict",
        version: 1,
      });
      deepEqual(await jobs.update("a", patch, { where: { owner: undefined } }), {
        outcome: "conflict",
        version: 1,
      });
      deepEqual(await mustGet(jobs, "a"), { ...waiting, owner: "n1" });
      const fitting = { version: 1, where: { owner: "n1", attempts: 0, note: undefined } };
      equal((await jobs.update("a", patch, fitting)).outcome, "ok");
    }),
  );
  api.it(
    "says that a record is missing",
    run(async ({ jobs }) => {
      deepEqual(await jobs.update("a", { set: { attempts: 1 } }), { outcome: "missing" });
      deepEqual(await jobs.delete("a"), { outcome: "missing" });
      deepEqual(await jobs.deposit("a", "key", "value"), { outcome: "missing" });
      equal(await jobs.get("a"), undefined);
      equal(await jobs.log("a"), undefined);
      deepEqual(await jobs.inbox("a"), {});
    }),
  );
  api.it(
    "deletes a record with its inbox and its log, and creates it anew from nothing",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting, { event: { type: "created" }, expiresInMs: 60_000 });
      await jobs.deposit("a", "task", "result");
      deepEqual(await jobs.delete("a", { version: 7 }), { outcome: "conflict", version: 1 });
      const deleted = await jobs.delete("a", { version: 1 });
      equal(deleted.outcome, "ok");
      equal(await jobs.get("a"), undefined);
      deepEqual(await jobs.inbox("a"), {});
      equal((await jobs.create("a", waiting)).outcome, "created");
      deepEqual(await jobs.inbox("a"), {});
      deepEqual(await jobs.log("a"), []);
      equal((await jobs.get("a"))?.expiresAtMs, undefined);
    }),
  );
  api.it(
    "reads many at once, in the order that was asked for",
    run(async ({ jobs }) => {
      const ids = Array.from({ length: 300 }, (_, at) => `r${at}`);
      await Promise.all(ids.map((id, attempts) => jobs.create(id, { ...waiting, attempts })));
      const wanted = ["r299", "none", "r0", "r299"];
      const found = await jobs.getMany(wanted);
      deepEqual(
        found.map((record) => record?.value.attempts),
        [299, undefined, 0, 299],
      );
      const all = await jobs.getMany(ids);
      deepEqual(
        all.map((record) => record?.id),
        ids,
      );
    }),
  );
  api.it(
    "keeps records of two collections apart",
    run(async ({ jobs, store }) => {
      const others = store.collection({ name: "other", schema: z.object({ status: z.string() }) });
      await jobs.create("a", waiting);
      await others.create("a", { status: "else" });
      await jobs.delete("a");
      deepEqual((await others.get("a"))?.value, { status: "else" });
      equal(await jobs.count(), 0);
      equal(await others.count(), 1);
    }),
  );
}
