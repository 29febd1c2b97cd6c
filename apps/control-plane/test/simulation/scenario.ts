import { type Random, seededRandom } from "@parallax/core";

/** What goes wrong, and for how long at most, in ms. */
export const faults = {
  "node crashes": 12_000,
  "node restarts fast": 300,
  "two nodes crash": 12_000,
  "all nodes crash": 8000,
  "node stands still": 9000,
  "node is drained": 4000,
  "node cut off from the store": 9000,
  "answers of the store lost": 4000,
  "messages lost": 10_000,
  "store away": 9000,
  "store rolled back": 800,
  "agent loses its connection": 1,
  "agent dies": 6000,
  "agent slow": 8000,
} as const;

export type FaultKind = keyof typeof faults;

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly node: number;
  readonly agent: number;
  readonly ms: number;
}

/** An execution that somebody submits. */
export interface Wish {
  readonly atMs: number;
  readonly node: number;
  readonly pattern: string;
  /** By number, so that a repetition meets the first. */
  readonly key: string;
  readonly cancelAfterMs: number | undefined;
}

/** One history of a cluster: everything else follows from it. */
export interface Scenario {
  readonly seed: number;
  readonly nodes: number;
  readonly agents: number;
  readonly faults: readonly Fault[];
  readonly wishes: readonly Wish[];
}

/** When the last fault begins at the latest, after the first seconds. */
const stormMs = 15_000;

export function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed);
  const whole = (below: number): number => Math.floor(random.next() * below);
  const kinds = Object.keys(faults).filter((kind): kind is FaultKind => Object.hasOwn(faults, kind));
  const count = 1 + whole(5);
  const found = Array.from({ length: count }, () => faultOf(random, pick(kinds, random))).sort(
    (a, b) => a.atMs - b.atMs,
  );
  return {
    seed,
    nodes: 1 + whole(3),
    agents: 3 + whole(3),
    faults: found,
    wishes: Array.from({ length: 4 + whole(8) }, (_, index) => ({
      // Most of them shortly before something goes wrong.
      atMs: Math.max(2000, (found[whole(count * 2)]?.atMs ?? 2000 + whole(stormMs)) - whole(2500)),
      node: whole(3),
      pattern: pick(["one", "three", "quorum", "first"], random),
      key: `wish ${index}`,
      cancelAfterMs: random.next() < 0.1 ? whole(3000) : undefined,
    })),
  };
}

function faultOf(random: Random, kind: FaultKind): Fault {
  const whole = (below: number): number => Math.floor(random.next() * below);
  return {
    kind,
    atMs: 3000 + whole(stormMs),
    node: whole(3),
    agent: whole(6),
    ms: 1 + whole(faults[kind]),
  };
}

function pick<T>(list: readonly T[], random: Random): T {
  const found = list[Math.floor(random.next() * list.length)];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
}
