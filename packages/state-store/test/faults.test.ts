import { seededRandom } from "@parallax/core";
import { memoryEventLogSpace } from "@parallax/event-bus/memory";
import { createVirtualClock, describeBackend } from "@parallax/testing";
import { expect, it } from "vitest";
import { z } from "zod";
import { entriesOf } from "../src/index-entry.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import { createStateStore } from "../src/state-store.ts";
import { faultyLink } from "./support/faulty.ts";

const schema = z.object({ status: z.enum(["a", "b", "c"]), writer: z.string() });
const statuses = ["a", "b", "c"] as const;

interface Attempt {
  readonly name: string;
  outcome: string;
}

/** Three nodes write the same few records over links that lose, swallow and delay calls. */
async function run(seed: number) {
  const clock = createVirtualClock();
  const random = seededRandom(seed);
  const log = memoryEventLogSpace();
  const space = memoryRecordSpace({ log, clock });
  const attempts: Attempt[] = [];

  /** Half of the updates say which version they expect. */
  function condition(version: number): { version?: number } {
    return random.next() < 0.5 ? { version } : {};
  }

  async function node(name: string): Promise<void> {
    const link = faultyLink(clock, random, { lost: 0.1, deaf: 0.1, late: 0.1 });
    const store = createStateStore({
      backend: memoryRecordBackend(space, { link }),
      clock,
      random,
      timeoutMs: 2000,
    });
    const things = store.collection({ name: "thing", schema, indexes: ["status", "writer"], topic: "thing" });
    for (let step = 0; step < 40; step += 1) {
      const attempt: Attempt = { name: `${name}-${step}`, outcome: "unknown" };
      attempts.push(attempt);
      const id = `r${Math.floor(random.next() * 2)}`;
      const status = statuses[Math.floor(random.next() * 3)] ?? "a";
      const event = { type: attempt.name };
      try {
        const current = await things.get(id);
        const result = current
          ? await things.update(
              id,
              { set: { status, writer: name } },
              { event, ...condition(current.version) },
            )
          : await things.create(id, { status, writer: name }, { event });
        attempt.outcome = result.outcome;
      } catch {
        attempt.outcome = "unknown";
      }
    }
    await store.close();
  }

  let done = false;
  const work = Promise.all(["x", "y", "z"].map(node)).then(() => {
    done = true;
  });
  await clock.runUntil(() => done, 600_000);
  await work;
  await clock.advance(1000);
  return { attempts, space, log };
}

describeBackend("memory", "changes over links that lose, swallow and delay", () => {
  it("S1, S2: take effect once if they were acknowledged, and never twice", async () => {
    let unknown = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const { attempts, space, log } = await run(seed);
      const { entries } = log.log("thing", 0);
      const types = entries.map(({ event }) => event.type);
      expect(new Set(types).size, `seed ${seed}: an event twice`).toBe(types.length);
      for (const { name, outcome } of attempts) {
        if (outcome === "unknown") continue;
        const written = outcome === "ok" || outcome === "created";
        expect(types.includes(name), `seed ${seed}: ${name} was ${outcome}`).toBe(written);
      }
      const { records, index } = space.shelf(0, "thing");
      for (const [id, { version }] of records) {
        expect(entries.filter(({ event }) => event.id === id).length, `seed ${seed}: ${id}`).toBe(version);
      }
      const members = [...records].flatMap(([id, state]) =>
        entriesOf(state.indexes, state.fields, { id, updatedAtMs: state.updatedAtMs }),
      );
      expect(index.range({ first: "", end: "\uffff", limit: 999 })).toEqual(members.sort());
      unknown += attempts.filter(({ outcome }) => outcome === "unknown").length;
    }
    // Nearly every change gets its answer in the end.
    expect(unknown).toBeLessThan(60 * 3 * 40 * 0.05);
  });
});
