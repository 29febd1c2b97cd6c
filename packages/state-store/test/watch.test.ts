import { createEventBus } from "@parallax/event-bus";
import { memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Collection, StateStore, WatchEvent } from "../src/collection.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import { createStateStore } from "../src/state-store.ts";

const schema = z.object({ status: z.enum(["on", "off"]) });
type Lamp = z.infer<typeof schema>;

describe("watching a collection", () => {
  const log = memoryEventLogSpace({ maxEntries: 10 });
  const space = memoryRecordSpace({ log });
  let store: StateStore;
  let lamps: Collection<Lamp>;
  let watching: AbortController;

  beforeEach(() => {
    const bus = createEventBus({ store: memoryTopicLog(log) });
    store = createStateStore({ backend: memoryRecordBackend(space), bus });
    lamps = store.collection({ name: "lamp", schema, indexes: ["status"], topic: "lamp" });
    watching = new AbortController();
  });
  afterEach(async () => {
    watching.abort();
    await store.close();
    space.drop();
  });

  async function next(watch: AsyncIterator<WatchEvent<Lamp>>): Promise<WatchEvent<Lamp>> {
    const { value } = await watch.next();
    return value;
  }

  it("shows the records first, then every change", async () => {
    await lamps.create("a", { status: "on" }, { event: { type: "created" } });
    await lamps.create("b", { status: "off" }, { event: { type: "created" } });
    const watch = lamps.watch({ index: "status", value: "on", signal: watching.signal });
    const snapshot = await next(watch);
    expect(snapshot.type === "snapshot" && snapshot.records.map(({ id }) => id)).toEqual(["a"]);
    // Between the snapshot and the first look at the events: nothing falls between.
    await lamps.update("b", { set: { status: "on" } }, { event: { type: "switched" } });
    expect(await next(watch)).toEqual({
      type: "changed",
      id: "b",
      event: { type: "switched", id: "b", version: 2 },
    });
    await lamps.delete("a", { event: { type: "deleted" } });
    expect(await next(watch)).toMatchObject({ type: "changed", id: "a", event: { type: "deleted" } });
  });

  it("shows the records again after a gap", async () => {
    const watch = lamps.watch({ signal: watching.signal });
    expect(await next(watch)).toEqual({ type: "snapshot", records: [] });
    for (let at = 0; at < 30; at += 1)
      await lamps.create(`l${at}`, { status: "on" }, { event: { type: "created" } });
    const again = await next(watch);
    expect(again.type === "snapshot" && again.records.length).toBe(30);
    await lamps.update("l1", { set: { status: "off" } }, { event: { type: "switched" } });
    expect(await next(watch)).toMatchObject({ type: "changed", id: "l1" });
  });

  it("ends with its signal", async () => {
    const watch = lamps.watch({ signal: watching.signal });
    await next(watch);
    const end = watch.next();
    watching.abort();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it("needs a bus and a topic", async () => {
    const noCode = expect.objectContaining({ code: "no_topic" });
    const without = createStateStore({ backend: memoryRecordBackend(space) });
    const lonely = without.collection({ name: "lamp", schema, topic: "lamp" });
    await expect(lonely.watch().next()).rejects.toEqual(noCode);
    await expect(store.collection({ name: "mute", schema }).position()).rejects.toEqual(noCode);
    expect(await lamps.position()).toContain("lamp");
  });
});
