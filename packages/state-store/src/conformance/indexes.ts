import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isParallaxError } from "@parallax/core";
import { z } from "zod";
import type { Collection, ListOptions } from "../collection.ts";
import { type Job, type Run, type TestApi, waiting } from "./harness.ts";

async function idsOf(jobs: Collection<Job>, options?: ListOptions<Job>): Promise<string[]> {
  return (await jobs.list(options)).records.map(({ id }) => id);
}

async function pages(jobs: Collection<Job>, options: ListOptions<Job>): Promise<string[][]> {
  const all: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await jobs.list({ ...options, ...(cursor !== undefined && { cursor }) });
    all.push(page.records.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

export function describeIndexes(api: TestApi, run: Run): void {
  api.it(
    "moves a record from value to value, and counts",
    run(async ({ jobs }) => {
      await jobs.create("a", { ...waiting, owner: "n1" });
      await jobs.create("b", waiting);
      await jobs.update("a", { set: { status: "running", owner: "n2" } });
      deepEqual(await idsOf(jobs, { index: "status", value: "waiting" }), ["b"]);
      deepEqual(await idsOf(jobs, { index: "status", value: "running" }), ["a"]);
      deepEqual(await idsOf(jobs, { index: "owner", value: "n1" }), []);
      deepEqual(await jobs.values("status"), { running: 1, waiting: 1 });
      deepEqual(await jobs.values("owner"), { n2: 1 });
      equal(await jobs.count({ index: "owner", value: "n2" }), 1);
      await jobs.update("a", { unset: ["owner"] });
      deepEqual(await jobs.values("owner"), {});
      await jobs.delete("a");
      equal(await jobs.count(), 1);
      deepEqual(await jobs.values("status"), { waiting: 1 });
    }),
  );
  api.it(
    "lists the newest first, whatever changed since, and where records become final the one that ended last",
    run(async ({ jobs, space }) => {
      for (const id of ["a", "b", "c"]) {
        await jobs.create(id, waiting);
        await space.pass(2);
      }
      await jobs.update("a", { set: { attempts: 1, owner: "me" } });
      deepEqual(await idsOf(jobs), ["c", "b", "a"]);
      deepEqual(await idsOf(jobs, { index: "status", value: "waiting" }), ["c", "b", "a"]);
      deepEqual(await idsOf(jobs, { limit: 2 }), ["c", "b"]);
      for (const id of ["b", "a", "c"]) {
        await space.pass(2);
        await jobs.update(id, { set: { status: "done", owner: "me" } });
      }
      deepEqual(await idsOf(jobs, { index: "status", value: "done" }), ["c", "a", "b"]);
      deepEqual(await idsOf(jobs, { index: "owner", value: "me" }), ["c", "b", "a"]);
      deepEqual(await idsOf(jobs), ["c", "b", "a"]);
    }),
  );
  api.it(
    "lists versions as it lists records",
    run(async ({ jobs }) => {
      for (const id of ["a", "b", "c"]) await jobs.create(id, { ...waiting, owner: "n1" });
      await jobs.update("b", { set: { attempts: 1 } });
      await jobs.update("c", { set: { owner: "n2" } });
      const mine = { index: "owner", value: "n1" } as const;
      for (const query of [{}, mine, { ...mine, limit: 1 }]) {
        const { records, cursor } = await jobs.list(query);
        const versions = records.map(({ id, version }) => ({ id, version }));
        deepEqual(await jobs.versions(query), { records: versions, cursor });
      }
      const first = await jobs.versions({ ...mine, limit: 1 });
      const second = await jobs.versions({
        ...mine,
        limit: 2,
        ...(first.cursor && { cursor: first.cursor }),
      });
      deepEqual(
        [...first.records, ...second.records].sort((a, b) => (a.id < b.id ? -1 : 1)),
        [
          { id: "a", version: 1 },
          { id: "b", version: 2 },
        ],
      );
    }),
  );
  api.it(
    "pages over every record once, many of which changed in the same millisecond",
    run(async ({ jobs }) => {
      const ids = Array.from({ length: 73 }, (_, at) => `r${at}`);
      await Promise.all(ids.map((id) => jobs.create(id, waiting)));
      for (const query of [{}, { index: "status", value: "waiting" } as const]) {
        const seen = await pages(jobs, { ...query, limit: 10 });
        deepEqual(
          seen.map(({ length }) => length),
          [10, 10, 10, 10, 10, 10, 10, 3],
        );
        deepEqual(seen.flat().sort(), [...ids].sort());
      }
      deepEqual(
        (await pages(jobs, { limit: 73 })).map(({ length }) => length),
        [73, 0],
      );
    }),
  );
  api.it(
    "pages on although records go and change between the pages",
    run(async ({ jobs, space }) => {
      const ids = Array.from({ length: 30 }, (_, at) => `r${String(at).padStart(2, "0")}`);
      await Promise.all(ids.map((id) => jobs.create(id, waiting)));
      await space.pass(2);
      const first = await jobs.list({ index: "status", value: "waiting", limit: 10 });
      const seen = first.records.map(({ id }) => id);
      const rest = ids.filter((id) => !seen.includes(id));
      const [moved = "", deleted = ""] = rest;
      await jobs.update(moved, { set: { status: "running" } });
      await jobs.delete(deleted);
      ok(first.cursor);
      const second = await jobs.list({ index: "status", value: "waiting", limit: 20, cursor: first.cursor });
      const later = second.records.map(({ id }) => id).sort();
      deepEqual(later, rest.filter((id) => id !== moved && id !== deleted).sort());
    }),
  );
  api.it(
    "tells values apart that begin alike or hold our own signs",
    run(async ({ jobs }) => {
      const owners = ["a", "a|b", "a%7Cb", "a|", "ab", "", "ü", "node#1", "a}", "*"];
      await Promise.all(owners.map((owner, at) => jobs.create(`r${at}`, { ...waiting, owner })));
      for (const [at, owner] of owners.entries()) {
        deepEqual(await idsOf(jobs, { index: "owner", value: owner }), [`r${at}`]);
        equal(await jobs.count({ index: "owner", value: owner }), 1);
      }
      deepEqual(await jobs.values("owner"), Object.fromEntries(owners.map((owner) => [owner, 1])));
    }),
  );
  api.it(
    "gives all values of an index that has many",
    run(async ({ jobs }) => {
      const owners = Array.from({ length: 1203 }, (_, at) => `n${at}`);
      await Promise.all(owners.map((owner) => jobs.create(owner, { ...waiting, owner })));
      equal(Object.keys(await jobs.values("owner")).length, owners.length);
    }),
  );
  api.it(
    "follows a change of the declared indexes with the next change of a record",
    run(async ({ store, another }) => {
      const schema = z.object({ old: z.string(), young: z.string() });
      const before = store.collection({ name: "thing", schema, indexes: ["old"] });
      const after = (await another()).store.collection({ name: "thing", schema, indexes: ["young"] });
      await before.create("a", { old: "x", young: "y" });
      deepEqual(await after.values("young"), {});
      await after.update("a", { set: { old: "z" } });
      deepEqual(await before.values("old"), {});
      deepEqual(await after.values("young"), { y: 1 });
      await after.delete("a");
      deepEqual(await after.values("young"), {});
      equal(await before.count(), 0);
    }),
  );
  api.it(
    "refuses a cursor that is none or of another query",
    run(async ({ jobs }) => {
      for (const id of ["a", "b"]) await jobs.create(id, waiting);
      const { cursor } = await jobs.list({ limit: 1 });
      ok(cursor);
      const refused = (error: unknown) => isParallaxError(error, "invalid_cursor");
      await rejects(() => jobs.list({ cursor: "nonsense" }), refused);
      await rejects(() => jobs.list({ index: "status", value: "waiting", cursor }), refused);
    }),
  );
}
