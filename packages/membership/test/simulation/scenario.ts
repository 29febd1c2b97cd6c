import { type Random, seededRandom } from "@parallax/core";

/** Faults of one node: others may hold it for failed. The largest `ms` of each. */
export const nodeFaults = {
  "cut link": 25_000,
  "deaf link": 25_000,
  "lossy link": 25_000,
  "refused link": 25_000,
  stall: 25_000,
  "machine sleep": 60_000,
  "no vouching": 25_000,
  crash: 40_000,
  stop: 20_000,
  "same id elsewhere": 1,
  "majority cut": 40_000,
} as const;

/** What no node may suffer from: neither its own doing nor for long. */
export const harmless = {
  "slow link": 20_000,
  "doubling link": 20_000,
  "wall clock step": 300_000,
  drain: 1,
} as const;

/** Faults of the store. They come one at a time, a while apart: M1 forgives a gap whole after a steady time. */
export const storeFaults = {
  "store away": 90_000,
  "store clock step": 90_000,
  "store lost": 1,
  "store restarted": 60_000,
  "store wiped": 60_000,
  "store rewound": 10_000,
} as const;

export type FaultKind = keyof typeof nodeFaults | keyof typeof harmless | keyof typeof storeFaults;

/** What goes wrong, when and where; `ms` is how long, or by how much a clock steps, or how far the store goes back. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly node: number;
  readonly ms: number;
}

export interface Scenario {
  readonly seed: number;
  /** How fast the nodes' clocks run, and how far their wall clocks are off. */
  readonly clocks: readonly { readonly rate: number; readonly wallOffsetMs: number }[];
  readonly storeRate: number;
  readonly faults: readonly Fault[];
  /** From then on nothing goes wrong any more. */
  readonly healAtMs: number;
  readonly endAtMs: number;
}

const healAtMs = 8 * 60_000;
const storeFaultsApartMs = 60_000;

/** The scenario of a seed: three to seven nodes, ten minutes, eight of them with faults. */
export function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed);
  const between = (least: number, most: number): number => least + random.next() * (most - least);
  const count = 3 + Math.floor(random.next() * 5);
  const clocks = Array.from({ length: count }, () => ({
    rate: between(0.9, 1.1),
    wallOffsetMs: between(-300_000, 300_000),
  }));
  const faults: Fault[] = [];
  const add = (kinds: Readonly<Partial<Record<FaultKind, number>>>, atMs: number): void => {
    const [kind, most] = pick(Object.entries(kinds) as [FaultKind, number][], random);
    const isStep = kind.endsWith("clock step");
    const ms = between(isStep ? -most : Math.min(500, most), most);
    faults.push({ kind, atMs, node: Math.floor(random.next() * count), ms });
  };
  const own = Math.floor(between(0, 16));
  for (let index = 0; index < own; index += 1) add(nodeFaults, between(20_000, healAtMs));
  for (let index = 0; index < 6; index += 1) add(harmless, between(20_000, healAtMs));
  // The outage of a store begins the count anew, so its length is added to what lies between.
  for (let atMs = between(30_000, 120_000); atMs < healAtMs; ) {
    add(storeFaults, atMs);
    atMs += Math.abs(faults.at(-1)?.ms ?? 0) + between(storeFaultsApartMs, 3 * storeFaultsApartMs);
  }
  faults.sort((left, right) => left.atMs - right.atMs);
  return { seed, clocks, storeRate: between(0.98, 1.02), faults, healAtMs, endAtMs: healAtMs + 120_000 };
}

function pick<Item>(items: readonly Item[], random: Random): Item {
  const item = items[Math.floor(random.next() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}
