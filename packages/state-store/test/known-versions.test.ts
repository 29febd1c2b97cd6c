import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createKnownVersions } from "../src/known-versions.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import { createStateStore } from "../src/state-store.ts";

const schema = z.object({ owner: z.string() });

/** Two nodes on one space, and a way back for it. */
function openNodes() {
  const space = memoryRecordSpace();
  const open = () => {
    const store = createStateStore({ backend: memoryRecordBackend(space) });
    return store.collection({ name: "thing", schema });
  };
  return { space, ours: open(), theirs: open() };
}

describe("versions that come to mean another state", () => {
  it("are a conflict for the writer whose change a fail-over took back", async () => {
    const { space, ours, theirs } = openNodes();
    await ours.create("a", { owner: "none" });
    const before = space.snapshot();
    const lost = await ours.update("a", { set: { owner: "ours" } });
    space.restore(before);
    // Somebody else reaches the same number.
    const found = await theirs.update("a", { set: { owner: "theirs" } });
    expect([lost, found]).toMatchObject([{ version: 2 }, { version: 2 }]);
    expect(await ours.update("a", { set: { owner: "ours again" } }, { version: 2 })).toEqual({
      outcome: "conflict",
      version: 2,
    });
    expect((await theirs.get("a"))?.value.owner).toBe("theirs");
    // Having been told, the number means what is there.
    expect((await ours.update("a", { set: { owner: "ours" } }, { version: 2 })).outcome).toBe("ok");
  });

  it("are a conflict for the reader of what a fail-over took back, and of an earlier life", async () => {
    const { space, ours, theirs } = openNodes();
    await theirs.create("a", { owner: "none" });
    const before = space.snapshot();
    await theirs.update("a", { set: { owner: "theirs" } });
    expect((await ours.list()).records[0]?.version).toBe(2);
    space.restore(before);
    await theirs.update("a", { set: { owner: "another" } });
    expect((await ours.update("a", { set: { owner: "ours" } }, { version: 2 })).outcome).toBe("conflict");

    await theirs.create("b", { owner: "first" });
    expect((await ours.get("b"))?.version).toBe(1);
    await theirs.delete("b");
    await theirs.create("b", { owner: "second" });
    expect((await ours.delete("b", { version: 1 })).outcome).toBe("conflict");
    expect((await ours.create("b", { owner: "third" })).outcome).toBe("exists");
    expect((await ours.delete("b", { version: 1 })).outcome).toBe("ok");
  });

  it("S7: are known of the records that were met last", () => {
    const known = createKnownVersions();
    for (let at = 0; at <= 10_000; at += 1) known.note(`r${at}`, 1, "request");
    expect([known.madeBy("r0", 1), known.madeBy("r1", 1), known.madeBy("r10000", 1)]).toEqual([
      undefined,
      "request",
      "request",
    ]);
    expect(known.madeBy("r1", 2)).toBeUndefined();
  });
});
