import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isParallaxError } from "@parallax/core";
import { z } from "zod";
import { type Run, type TestApi, waiting } from "./harness.ts";

export function describeSiblings(api: TestApi, run: Run): void {
  api.it(
    "takes the first deposit under a key and shows it to the second, without touching the version",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting);
      deepEqual(await jobs.deposit("a", "task:1", "first"), { outcome: "ok" });
      deepEqual(await jobs.deposit("a", "task:1", "second"), { outcome: "exists", value: "first" });
      deepEqual(await jobs.deposit("a", "__proto__", "odd"), { outcome: "ok" });
      const inbox = await jobs.inbox("a");
      deepEqual(Object.entries(inbox).sort(), [
        ["__proto__", "odd"],
        ["task:1", "first"],
      ]);
      equal((await jobs.get("a"))?.version, 1);
    }),
  );
  api.it(
    "S7: refuses deposits past the bound of the inbox",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting);
      deepEqual(await jobs.deposit("a", "1", "x".repeat(900)), { outcome: "ok" });
      await rejects(
        () => jobs.deposit("a", "2", "x".repeat(200)),
        (error) => isParallaxError(error, "too_large"),
      );
      deepEqual(Object.keys(await jobs.inbox("a")), ["1"]);
      deepEqual(await jobs.deposit("a", "2", "x".repeat(90)), { outcome: "ok" });
    }),
  );
  api.it(
    "puts what a change rests on into the inbox in the same step",
    run(async ({ jobs, another }) => {
      const other = await another();
      await jobs.create("a", waiting);
      await jobs.deposit("a", "1", "first");
      const deposits = { "1": "first", "2": "second" };
      deepEqual(
        (await jobs.update("a", { set: { status: "done" } }, { version: 1, deposits })).outcome,
        "ok",
      );
      deepEqual(await other.jobs.inbox("a"), deposits);
      deepEqual((await other.jobs.get("a"))?.value.status, "done");
      deepEqual(await other.jobs.deposit("a", "3", "late"), { outcome: "final" });
    }),
  );
  api.it(
    "refuses a change that rests on what is not in the inbox, and deposits nothing of it",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting);
      await jobs.deposit("a", "2", "of somebody else");
      const deposits = { "1": "first", "2": "second" };
      const refused = await jobs.update("a", { set: { status: "running" } }, { deposits });
      deepEqual(refused, { outcome: "conflict", version: 1 });
      equal((await jobs.get("a"))?.value.status, "waiting");
      deepEqual(await jobs.inbox("a"), { "2": "of somebody else" });
      for (const options of [{ version: 7 }, { where: { status: "running" } }] as const) {
        const { outcome } = await jobs.update("a", {}, { ...options, deposits: { "1": "first" } });
        equal(outcome, "conflict");
      }
      deepEqual(await jobs.update("none", {}, { deposits }), { outcome: "missing" });
      deepEqual(Object.keys(await jobs.inbox("a")), ["2"]);
    }),
  );
  api.it(
    "S7: refuses a change whose deposits exceed the bound of the inbox, as a whole",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting);
      await jobs.deposit("a", "1", "x".repeat(600));
      const change = (length: number) =>
        jobs.update("a", { set: { attempts: length } }, { deposits: { "2": "x".repeat(length) } });
      await rejects(
        () => change(500),
        (error) => isParallaxError(error, "too_large"),
      );
      equal((await jobs.get("a"))?.version, 1);
      equal((await change(300)).outcome, "ok");
      await rejects(
        () => jobs.deposit("a", "3", "x".repeat(100)),
        (error) => isParallaxError(error, "too_large"),
      );
      // What is there already takes no more room.
      equal((await change(300)).outcome, "ok");
      deepEqual(Object.keys(await jobs.inbox("a")).sort(), ["1", "2"]);
    }),
  );
  api.it(
    "lets one of many concurrent deposits under a key win",
    run(async ({ jobs, another }) => {
      const other = await another();
      await jobs.create("a", waiting);
      const deposits = Array.from({ length: 20 }, (_, at) =>
        (at % 2 ? jobs : other.jobs).deposit("a", "task", `from ${at}`),
      );
      const outcomes = await Promise.all(deposits);
      equal(outcomes.filter(({ outcome }) => outcome === "ok").length, 1);
      const { task } = await jobs.inbox("a");
      ok(outcomes.every((outcome) => outcome.outcome !== "exists" || outcome.value === task));
    }),
  );
  api.it(
    "appends several events of one change in their order, all of the same version",
    run(async ({ jobs, space }) => {
      await jobs.create("a", waiting, { event: [{ type: "created" }, { type: "started" }] });
      await jobs.update("a", { set: { status: "running" } }, { event: [{ type: "one" }, { type: "two" }] });
      const all = [
        { type: "created", id: "a", version: 1 },
        { type: "started", id: "a", version: 1 },
        { type: "one", id: "a", version: 2 },
        { type: "two", id: "a", version: 2 },
      ];
      deepEqual(await space.events("job"), all);
      const log = (await jobs.log("a")) ?? [];
      deepEqual(
        log.map(({ sequence, event }) => [sequence, event]),
        all.map((event, index) => [index + 1, event]),
      );
    }),
  );
  api.it(
    "appends each event to the record's own log and to the topic, with id and version of the record",
    run(async ({ jobs, space }) => {
      await jobs.create("a", waiting, { event: { type: "created", by: "me" } });
      await jobs.update("a", { set: { status: "running" } }, { event: { type: "started" } });
      await jobs.deposit("a", "task", "result", { event: { type: "deposited" } });
      await jobs.update("a", { set: { attempts: 1 } });
      await jobs.delete("a", { event: { type: "deleted" } });
      deepEqual(await space.events("job"), [
        { type: "created", id: "a", by: "me", version: 1 },
        { type: "started", id: "a", version: 2 },
        { type: "deposited", id: "a", version: 2 },
        { type: "deleted", id: "a", version: 4 },
      ]);
    }),
  );
  api.it(
    "numbers a record's own log densely and reads it from any place",
    run(async ({ jobs, store }) => {
      await jobs.create("a", waiting, { event: { type: "e1" } });
      await jobs.update("a", {}, { event: { type: "e2" } });
      await jobs.deposit("a", "k", "v", { event: { type: "e3" } });
      const log = await jobs.log("a");
      deepEqual(
        log?.map(({ sequence, event }) => [sequence, event.type, event.version]),
        [
          [1, "e1", 1],
          [2, "e2", 2],
          [3, "e3", 2],
        ],
      );
      const nowMs = await store.time();
      ok(log?.every(({ atMs }) => Math.abs(nowMs - atMs) < 60_000));
      deepEqual(
        (await jobs.log("a", 2))?.map(({ sequence }) => sequence),
        [3],
      );
      deepEqual(await jobs.log("a", 3), []);
    }),
  );
  api.it(
    "keeps no log of a record where none is wanted, and tells the topic all the same",
    run(async ({ store, space }) => {
      const schema = z.object({ status: z.string() });
      const silent = store.collection({ name: "silent", schema, topic: "silent", logEntries: 0 });
      await silent.create("a", { status: "new" }, { event: { type: "one" } });
      await silent.update("a", { set: { status: "old" } }, { event: [{ type: "two" }, { type: "three" }] });
      await silent.deposit("a", "k", "v", { event: { type: "four" } });
      deepEqual(await silent.log("a"), []);
      deepEqual(
        (await space.events("silent")).map(({ type }) => type),
        ["one", "two", "three", "four"],
      );
    }),
  );
  api.it(
    "S7: keeps the newest entries of a record's own log",
    run(async ({ jobs }) => {
      await jobs.create("a", waiting, { event: { type: "e1" } });
      for (let at = 2; at <= 12; at += 1) await jobs.update("a", {}, { event: { type: `e${at}` } });
      const sequences = async (after?: number) =>
        (await jobs.log("a", after))?.map(({ sequence }) => sequence);
      deepEqual(await sequences(), [8, 9, 10, 11, 12]);
      deepEqual(await sequences(10), [11, 12]);
    }),
  );
  api.it(
    "appends no event for a change that is refused",
    run(async ({ jobs, space }) => {
      const event = { type: "never" };
      await jobs.create("a", waiting);
      await jobs.create("a", waiting, { event });
      await jobs.update("a", {}, { version: 9, event });
      await jobs.update("none", {}, { event });
      await jobs.deposit("a", "k", "v");
      await jobs.deposit("a", "k", "v", { event });
      deepEqual(await space.events("job"), []);
      deepEqual(await jobs.log("a"), []);
    }),
  );
  api.it(
    "appends the events of many changes in the order of each record's versions",
    run(async ({ jobs, space }) => {
      const ids = Array.from({ length: 25 }, (_, at) => `r${at}`);
      await Promise.all(ids.map((id) => jobs.create(id, waiting, { event: { type: "changed" } })));
      await Promise.all(
        ids.flatMap((id) => [1, 2, 3].map(() => jobs.update(id, {}, { event: { type: "changed" } }))),
      );
      const versions = new Map<unknown, unknown[]>();
      for (const { id, version } of await space.events("job")) {
        versions.set(id, [...(versions.get(id) ?? []), version]);
      }
      equal(versions.size, ids.length);
      for (const seen of versions.values()) deepEqual(seen, [1, 2, 3, 4]);
    }),
  );
}
