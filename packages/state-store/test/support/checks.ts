import { expect } from "vitest";
import type { Load } from "./load.ts";

/** What a load left behind, to be compared with what its writers were told. */
export interface Remains {
  /** Tokens of the events, in order. */
  readonly tokens: readonly string[];
  readonly totals: ReadonlyMap<string, number>;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** Reads what a load left behind. */
export async function remainsOf(
  load: Load,
  events: readonly Readonly<Record<string, unknown>>[],
): Promise<Remains> {
  const { records } = await load.counters.list({ limit: 1000 });
  return {
    tokens: events.map(({ token }) => String(token)),
    totals: new Map(records.map(({ id, value }) => [id, value.total])),
    byStatus: await load.counters.values("status"),
  };
}

/** Nothing was applied twice, no acknowledged increment is missing, and index and events agree with the records. */
export function expectExactlyOnce(load: Load, remains: Remains): void {
  const { tokens, totals, byStatus } = remains;
  expect(load.increments.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  expect(new Set(tokens).size, "an event twice").toBe(tokens.length);
  const told = new Set(tokens);
  const lost = load.increments.filter(({ outcome, token }) => outcome === "ok" && !told.has(token));
  expect(lost, "acknowledged and lost").toEqual([]);
  const sum = [...totals.values()].reduce((total, value) => total + value, 0);
  expect(sum, "one event for each addition").toBe(tokens.length);
  expect(Object.values(byStatus).reduce((total, count) => total + count, 0)).toBe(totals.size);
}
