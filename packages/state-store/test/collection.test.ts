import { ParallaxError } from "@parallax/core";
import { createVirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { StateStore } from "../src/collection.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import type { MemoryRecordSpace } from "../src/memory-space.ts";
import { createStateStore, type StateStoreOptions } from "../src/state-store.ts";
import type { RecordBackend } from "../src/store.ts";

const schema = z.object({
  status: z.enum(["open", "done"]),
  size: z.number().optional(),
  note: z.string().default("-"),
});
const withCode = (code: string) => expect.objectContaining({ code });

describe("a collection", () => {
  let space: MemoryRecordSpace;
  let backend: RecordBackend;
  let mutations: number;

  beforeEach(() => {
    space = memoryRecordSpace();
    const real = memoryRecordBackend(space);
    mutations = 0;
    backend = {
      ...real,
      mutate(...args) {
        mutations += 1;
        return real.mutate(...args);
      },
    };
  });

  function store(options: Partial<StateStoreOptions> = {}): StateStore {
    return createStateStore({ backend, ...options });
  }

  function things(options: Partial<StateStoreOptions> = {}) {
    const final = { status: ["done"] };
    return store(options).collection({ name: "thing", schema, indexes: ["status"], final, topic: "thing" });
  }

  it("answers nothing once it is closed", async () => {
    const closed = store();
    const all = closed.collection({ name: "thing", schema });
    await closed.close();
    for (const call of [() => all.get("a"), () => all.create("a", { status: "open", note: "" }), closed.time])
      await expect(call()).rejects.toMatchObject({ code: "store_closed" });
  });

  it("refuses bad input before anything is sent", async () => {
    const limits = { recordBytes: 100, depositBytes: 10, eventBytes: 50 };
    const all = things({ limits });
    const open = { status: "open", note: "n" } as const;
    // What a caller without types could hand over.
    const untyped = (value: unknown) => JSON.parse(JSON.stringify(value));
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [at, ""]));
    const refused: [string, () => Promise<unknown>][] = [
      ["invalid_id", () => all.create("", open)],
      ["invalid_id", () => all.create(untyped(null), open)],
      ["invalid_id", () => all.get("a:inbox")],
      ["invalid_id", () => all.update("a{b}", {})],
      ["invalid_id", () => all.getMany(["a", "b c"])],
      ["invalid_id", () => all.deposit("x".repeat(201), "k", "v")],
      ["invalid_value", () => all.create("a", untyped({ status: "odd", note: "n" }))],
      ["invalid_value", () => all.update("a", { set: untyped({ size: "big" }) })],
      ["invalid_value", () => all.update("a", { set: untyped({ unknown: 1 }) })],
      ["invalid_value", () => all.update("a", { unset: ["status"] })],
      ["invalid_value", () => all.update("a", {}, { where: untyped({ status: 5 }) })],
      ["invalid_value", () => all.update("a", {}, { fence: -1 })],
      ["invalid_value", () => all.update("a", {}, { version: 1.5 })],
      ["invalid_value", () => all.update("a", {}, { expiresInMs: Number.NaN })],
      ["invalid_value", () => all.update("a", {}, { replicas: -1 })],
      ["invalid_request_id", () => all.update("a", {}, { requestId: "has space" })],
      ["too_large", () => all.create("a", { ...open, note: "x".repeat(101) })],
      ["too_large", () => all.deposit("a", "k", "x".repeat(11))],
      ["too_large", () => all.update("a", {}, { deposits: { k: "xxxxx", l: "xxxxx" } })],
      ["too_large", () => all.update("a", {}, { event: { type: "t", text: "x".repeat(50) } })],
      ["invalid_limit", () => all.list({ limit: 0 })],
      ["invalid_limit", () => all.list({ limit: 1001 })],
      ["invalid_limit", () => all.collectExpired({ limit: 0 })],
      ["invalid_index", () => all.list({ index: "note", value: "n" })],
      ["invalid_index", () => all.list({ index: "status" })],
      ["invalid_index", () => all.count({ value: "open" })],
      ["invalid_index", () => all.values("size")],
      ["invalid_value", () => all.log("a", -1)],
      ["invalid_value", () => all.update("a", {}, { event: untyped({ text: "no type" }) })],
      ["invalid_value", () => all.update("a", {}, { event: { type: "t", big: 5n } })],
      ["invalid_value", () => all.update("a", {}, { event: [{ type: "t" }, { type: "circle", circle }] })],
      ["invalid_value", () => all.deposit("a", "k", untyped(5))],
      ["invalid_value", () => all.update("a", {}, { deposits: untyped({ k: 5 }) })],
      ["invalid_value", () => all.update("a", {}, { deposits: many })],
    ];
    for (const [code, attempt] of refused) await expect(attempt()).rejects.toEqual(withCode(code));
    expect(mutations).toBe(0);
  });

  it("refuses ids of a megabyte and values of five, with a short message", async () => {
    const all = things();
    const large = { status: "open", note: "x".repeat(5 * 1024 * 1024) } as const;
    const attempts: [string, () => Promise<unknown>][] = [
      ["invalid_id", () => all.create("x".repeat(1024 * 1024), { status: "open", note: "n" })],
      ["too_large", () => all.create("a", large)],
      ["too_large", () => all.update("a", { set: { note: large.note } })],
      ["too_large", () => all.deposit("a", "k", large.note)],
      ["too_large", () => all.update("a", {}, { event: { type: "t", text: large.note } })],
    ];
    for (const [code, attempt] of attempts) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toEqual(withCode(code));
      expect(String(error).length).toBeLessThan(300);
    }
    expect(mutations).toBe(0);
    expect(await all.count()).toBe(0);
  });

  it("refuses a definition that it could not keep", () => {
    const open = store();
    const broken: [string, () => unknown][] = [
      ["invalid_collection", () => open.collection({ name: "has:colon", schema })],
      ["invalid_collection", () => open.collection({ name: "index", schema })],
      ["invalid_collection", () => open.collection({ name: "thing", schema, topic: "a b" })],
      ["invalid_collection", () => open.collection({ name: "thing", schema, version: 0 })],
      ["invalid_index", () => open.collection({ name: "thing", schema, indexes: ["size"] })],
      ["invalid_index", () => open.collection({ name: "thing", schema, final: { size: ["5"] } })],
      ["invalid_schema", () => open.collection({ name: "thing", schema: z.looseObject({}) })],
    ];
    for (const [code, attempt] of broken) expect(attempt).toThrow(withCode(code));
    open.collection({ name: "one", schema, topic: "shared" });
    open.collection({ name: "one", schema, topic: "shared" });
    expect(() => open.collection({ name: "two", schema, topic: "shared" })).toThrow(
      withCode("invalid_collection"),
    );
  });

  it("stores the value that the schema gives back", async () => {
    const loose = store().collection({
      name: "loose",
      schema: z.object({ a: z.string(), b: z.string().default("b") }),
    });
    await loose.create("x", JSON.parse('{"a":"1","unknown":2}'));
    expect((await loose.get("x"))?.value).toEqual({ a: "1", b: "b" });
  });

  it("says which record does not fit its schema, and leaves it out of lists", async () => {
    const onError = vi.fn();
    const all = things({ onError });
    await all.create("good", { status: "open", note: "n" });
    const other = store().collection({
      name: "thing",
      schema: z.object({ status: z.string() }),
      indexes: ["status"],
    });
    await other.create("bad", { status: "odd" });
    await expect(all.get("bad")).rejects.toEqual(withCode("invalid_record"));
    expect((await all.list()).records.map(({ id }) => id)).toEqual(["good"]);
    expect(onError).toHaveBeenCalledWith(withCode("invalid_record"));
  });

  it("reads again while the store is away, and gives up in time", async () => {
    const clock = createVirtualClock();
    let left = 3;
    const away: RecordBackend = {
      ...backend,
      async read(...args) {
        left -= 1;
        if (left >= 0) throw new ParallaxError("redis_unavailable", "away");
        return backend.read(...args);
      },
    };
    const all = createStateStore({ backend: away, clock, timeoutMs: 1000 }).collection({
      name: "thing",
      schema,
    });
    let found: unknown = "not yet";
    const reading = all.get("a").then((record) => {
      found = record;
    });
    await clock.runUntil(() => found === undefined, 1000);
    await reading;
    left = 1000;
    const failing = all.get("a").catch((error: unknown) => {
      found = error;
    });
    await clock.runUntil(() => found !== undefined, 2000);
    await failing;
    expect(found).toEqual(withCode("redis_unavailable"));
  });
});

describe("a schema that changes", () => {
  const first = z.object({ status: z.string(), seconds: z.number() });
  const second = z.object({ status: z.string(), milliseconds: z.number(), kind: z.string() });
  const migrate = vi.fn((fields: Readonly<Record<string, string>>, version: number) => {
    expect(version).toBe(1);
    const { seconds, ...rest } = fields;
    return { ...rest, milliseconds: String(Number(seconds) * 1000), kind: "old" };
  });

  function open() {
    const space = memoryRecordSpace();
    const store = () => createStateStore({ backend: memoryRecordBackend(space) });
    const older = store().collection({ name: "timer", schema: first, indexes: ["status"] });
    const indexes = ["status", "kind"] as const;
    const newer = store().collection({ name: "timer", schema: second, indexes, version: 2, migrate });
    return { older, newer };
  }

  it("brings records up when they are read", async () => {
    const { older, newer } = open();
    await older.create("a", { status: "on", seconds: 5 });
    expect((await newer.get("a"))?.value).toEqual({ status: "on", milliseconds: 5000, kind: "old" });
    expect((await newer.list()).records.map(({ value }) => value.kind)).toEqual(["old"]);
    expect((await older.get("a"))?.value).toEqual({ status: "on", seconds: 5 });
  });

  it("brings a record up before it is changed, without a new version", async () => {
    const { older, newer } = open();
    await older.create("a", { status: "on", seconds: 5 });
    const update = await newer.update(
      "a",
      { set: { status: "off" } },
      { version: 1, where: { kind: "old" } },
    );
    expect(update).toMatchObject({ outcome: "ok", version: 2 });
    expect((await newer.get("a"))?.value).toEqual({ status: "off", milliseconds: 5000, kind: "old" });
    expect(await newer.values("kind")).toEqual({ old: 1 });
    await newer.delete("a", { where: { kind: "old" } });
    expect(await newer.values("kind")).toEqual({});
  });

  it("refuses a record that is newer than what it knows", async () => {
    const { older, newer } = open();
    await newer.create("a", { status: "on", milliseconds: 1, kind: "new" });
    await expect(older.get("a")).rejects.toEqual(withCode("newer_schema"));
    await expect(older.update("a", { set: { seconds: 1 } })).rejects.toEqual(withCode("newer_schema"));
    expect((await newer.get("a"))?.version).toBe(1);
  });

  it("needs a migration to read what is older", async () => {
    const { older } = open();
    await older.create("a", { status: "on", seconds: 5 });
    expect(migrate).toBeDefined();
  });
});

describe("admission", () => {
  it("S7: takes new records below 85 % of the memory limit, and looks once a second", async () => {
    const clock = createVirtualClock();
    let usedBytes = 84;
    const memory = vi.fn(() => ({ usedBytes, limitBytes: 100 }));
    const backend = memoryRecordBackend(memoryRecordSpace({ clock, memory }));
    const store = createStateStore({ backend, clock });
    expect(await store.admits()).toBe(true);
    usedBytes = 85;
    expect(await store.admits()).toBe(true);
    expect(memory).toHaveBeenCalledTimes(1);
    await clock.advance(1000);
    expect(await store.admits()).toBe(false);
    usedBytes = 10;
    await clock.advance(1000);
    expect(await store.admits()).toBe(true);
  });

  it("takes new records where there is no limit", async () => {
    const memory = () => ({ usedBytes: 1e12, limitBytes: undefined });
    const store = createStateStore({ backend: memoryRecordBackend(memoryRecordSpace({ memory })) });
    expect(await store.admits()).toBe(true);
  });

  it("passes a failed look on and asks again", async () => {
    let fails = true;
    const memory = () => {
      if (fails) throw new ParallaxError("redis_reply", "no");
      return { usedBytes: 1, limitBytes: 100 };
    };
    const store = createStateStore({ backend: memoryRecordBackend(memoryRecordSpace({ memory })) });
    await expect(store.admits()).rejects.toEqual(withCode("redis_reply"));
    fails = false;
    expect(await store.admits()).toBe(true);
  });
});

describe("the memory space", () => {
  it("goes back to a snapshot and loses everything, as simulations need it", async () => {
    const space = memoryRecordSpace();
    const store = createStateStore({ backend: memoryRecordBackend(space) });
    const all = store.collection({ name: "thing", schema, indexes: ["status"] });
    await all.create("a", { status: "open", note: "n" }, { fence: 3, expiresInMs: 0 });
    const snapshot = space.snapshot();
    await all.update("a", { set: { status: "done" } }, { fence: 5, expiresInMs: null });
    await all.create("b", { status: "open", note: "n" });
    space.restore(snapshot);
    expect(await all.values("status")).toEqual({ open: 1 });
    expect((await all.get("a"))?.version).toBe(1);
    expect(await store.raiseFence(4)).toEqual({ outcome: "ok" });
    expect(await all.collectExpired({ fence: 4 })).toEqual({ removed: 1, more: false });
    space.restore(snapshot);
    expect(await all.count()).toBe(1);
    space.drop();
    expect(await all.count()).toBe(0);
    expect(await store.raiseFence(1)).toEqual({ outcome: "ok" });
  });
});
