import { type Clock, isParallaxError, type Random } from "@parallax/core";
import { expect } from "vitest";
import { z } from "zod";
import type { Collection, StateStore } from "../../src/collection.ts";
import { entriesOf } from "../../src/index-entry.ts";
import type { StoredFields } from "../../src/store.ts";

const statuses = ["open", "running", "done"] as const;
export const thingIds: readonly string[] = Array.from({ length: 12 }, (_, at) => `t${at}`);

/** A thing; `by` names the change that made it what it is. */
export type Thing = {
  readonly status: (typeof statuses)[number];
  readonly owner: string;
  readonly by: string;
};

const schema: z.ZodType<Thing> = z.object({ status: z.enum(statuses), owner: z.string(), by: z.string() });

export const thingLayout = {
  collection: "thing",
  indexes: ["status", "owner"],
  final: { status: ["done"] },
} as const;

export function openThings(store: StateStore): Collection<Thing> {
  return store.collection({
    name: thingLayout.collection,
    schema,
    indexes: thingLayout.indexes,
    final: thingLayout.final,
    topic: "thing",
  });
}

/** A change and what its node was told. `refused`: the record stayed as it was. */
export interface Attempt {
  readonly name: string;
  readonly outcome: "done" | "refused" | "unknown";
}

type Choice = {
  readonly things: Collection<Thing>;
  readonly random: Random;
  readonly node: string;
  readonly name: string;
};

/** One change of any kind; a second call is the same change under the same request id. */
function chooseChange({ things, random, node, name }: Choice): () => Promise<{ readonly outcome: string }> {
  const pick = <Item>(items: readonly [Item, ...Item[]]): Item =>
    items[Math.floor(random.next() * items.length)] ?? items[0];
  const id = thingIds[Math.floor(random.next() * thingIds.length)] ?? "t0";
  const value: Thing = { status: pick(statuses), owner: node, by: name };
  const expiresInMs = pick([undefined, undefined, null, 0, 5]);
  const common = {
    requestId: name,
    event: { type: name, deposit: false },
    ...(expiresInMs !== undefined && { expiresInMs }),
  };
  const lot = random.next();
  if (lot < 0.3) return () => things.create(id, value, common);
  if (lot < 0.45) return () => things.update(id, { set: value }, { ...common, where: { owner: node } });
  if (lot < 0.75) return () => things.update(id, { set: value }, common);
  if (lot < 0.85) return () => things.delete(id, common);
  return async () => {
    const result = await things.deposit(id, name, name, { event: { type: name, deposit: true } });
    // A deposit is known by its key: made again it finds what it left, unless the record has gone or ended meanwhile.
    if (result.outcome === "exists") return { outcome: result.value === name ? "ok" : "exists" };
    return { outcome: result.outcome === "ok" ? "ok" : "unknown" };
  };
}

/** Changes things at random until `goesOn` says no. A call without an answer is often made again, as its user may. */
export async function changeThings(
  options: Omit<Choice, "name"> & { readonly clock: Clock; readonly goesOn: (step: number) => boolean },
): Promise<Attempt[]> {
  const { things, random, node, clock, goesOn } = options;
  const attempts: Attempt[] = [];
  for (let step = 0; goesOn(step); step += 1) {
    const name = `${node}-${step}`;
    const change = chooseChange({ things, random, node, name });
    let outcome: Attempt["outcome"] = "unknown";
    for (let left = 2; outcome === "unknown" && left > 0; left -= 1) {
      try {
        const answer = (await change()).outcome;
        if (answer === "unknown") break;
        outcome = ["ok", "created"].includes(answer) ? "done" : "refused";
      } catch (error) {
        if (!isParallaxError(error)) throw error;
        if (random.next() < 0.3) break;
      }
    }
    attempts.push({ name, outcome });
    if (step % 20 === 0) await things.collectExpired({}).catch(() => {});
    await clock.sleep(1 + random.next() * 4);
  }
  return attempts;
}

const told = z.looseObject({ type: z.string(), id: z.string(), version: z.int(), deposit: z.boolean() });

/** What is left in the end, read past the store. */
export interface Remains {
  readonly records: readonly StoredFields[];
  readonly members: readonly string[];
  readonly expiring: readonly string[];
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** S1, S2: each change took effect once or not at all, as its node was told, with its entries and its event. */
export function expectOnceEach(attempts: readonly Attempt[], remains: Remains): void {
  const events = remains.events.map((event) => told.parse(event));
  const types = new Set(events.map(({ type }) => type));
  const changes = events.filter(({ deposit }) => !deposit).map(({ type }) => type);
  expect(new Set(changes).size, "a change twice").toBe(changes.length);
  for (const { name, outcome } of attempts) {
    if (outcome !== "unknown") expect(types.has(name), `${name} was ${outcome}`).toBe(outcome === "done");
  }

  // No orphan in an index, and nothing missing from one.
  const members = remains.records.flatMap((record) =>
    entriesOf(thingLayout, new Map(Object.entries(record.fields)), record),
  );
  expect([...remains.members].sort()).toEqual(members.sort());
  const expiring = remains.records.flatMap(({ id, expiresAtMs }) => (expiresAtMs === undefined ? [] : [id]));
  expect([...remains.expiring].sort()).toEqual(expiring.sort());

  // Each life of a record is told from its first version to its last, without a gap or a repetition.
  for (const id of thingIds) {
    let version = 0;
    let last: string | undefined;
    // A deposit is known by its key, in one life of its record.
    let deposits = new Set<string>();
    for (const event of events.filter((one) => one.id === id)) {
      const isNext = event.deposit ? event.version === version : event.version === version + 1;
      expect(
        isNext || event.version === 1,
        `${event.type} of ${id} has version ${event.version}, after ${version}`,
      ).toBe(true);
      if (!event.deposit && event.version === 1) deposits = new Set();
      if (event.deposit) {
        expect(deposits.has(event.type), `${event.type} deposited twice`).toBe(false);
        deposits.add(event.type);
      }
      version = event.version;
      if (!event.deposit) last = event.type;
    }
    const record = remains.records.find((one) => one.id === id);
    if (!record) continue;
    expect([id, record.version, record.fields.by]).toEqual([id, version, last]);
  }
}
