import { type Random, seededRandom } from "@parallax/core";

/** What goes wrong, and for how long at most, in ms. */
export const faults = {
  "node crashes": 8000,
  "node restarts fast": 300,
  "two nodes crash": 8000,
  "all nodes crash": 8000,
  "leader crashes in recovery": 8000,
  "execution kills its nodes": 2000,
  "node stands still": 9000,
  "machine sleeps": 9000,
  "wall clock steps": 60_000,
  "node is drained": 4000,
  "leader steps down": 1,
  "leader is deposed": 1,
  "node cut off from the store": 9000,
  "answers of the store lost": 4000,
  "way to the store slow": 6000,
  "store slow": 6000,
  "messages lost": 8000,
  "messages late": 8000,
  "store away": 9000,
  "store rolled back": 800,
  "store loses everything": 1,
  "agent loses its connection": 1,
  "agent dies": 6000,
  "agent slow": 8000,
  "agents all gone": 8000,
  "pattern changes": 1,
  "calls come late": 4000,
  "hand-overs come late": 4000,
  "drain comes late": 4000,
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
  readonly input: Input;
  readonly cancelAfterMs: number | undefined;
  /** The one who submits it also waits for its end. */
  readonly waits: boolean;
  /** Somebody submits it again, under the same key, this long after it was accepted. */
  readonly repeatAfterMs: number | undefined;
}

/** What its agents do with it. */
export interface Input {
  /** By number, so that a repetition meets the first. */
  readonly key: string;
  readonly ms?: number;
  readonly failing?: number;
  readonly disagree?: boolean;
}

/** One history of a cluster: everything else follows from it. */
export interface Scenario {
  readonly seed: number;
  readonly nodes: number;
  readonly agents: number;
  /** The node that lacks the user's function, if one does. */
  readonly without: number | undefined;
  readonly faults: readonly Fault[];
  readonly wishes: readonly Wish[];
}

/** When the last fault begins at the latest, after the first seconds. */
const stormMs = 10_000;

const all: readonly FaultKind[] = Object.keys(faults).filter((kind): kind is FaultKind =>
  Object.hasOwn(faults, kind),
);
const isLate = (kind: FaultKind): boolean => kind.endsWith(" late") && kind !== "messages late";
const kinds = all.filter((kind) => !isLate(kind));
const lateKinds = all.filter(isLate);

/** Most executions are of these; the others are there for the way in which they end. */
const usual = ["one", "three", "quorum", "first", "merged", "merged"];

export function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed);
  const whole = (below: number): number => Math.floor(random.next() * below);
  const count = 1 + whole(5);
  const found = Array.from({ length: count }, () => faultOf(random, pick(kinds, random))).sort(
    (a, b) => a.atMs - b.atMs,
  );
  // Of its own, so that the rest of a history is as it was before there were any.
  const later = seededRandom(seed + 2 ** 30);
  const late = later.next() < 0.4 ? [faultOf(later, pick(lateKinds, later))] : [];
  const nodes = pick([1, 2, 3, 3], random);
  return {
    seed,
    nodes,
    agents: 3 + whole(3),
    without: nodes > 1 && random.next() < 0.2 ? whole(nodes) : undefined,
    faults: [...found, ...late],
    wishes: Array.from(
      { length: 4 + whole(8) },
      (_, index): Wish => ({
        // Most of them shortly before something goes wrong.
        atMs: Math.max(1000, (found[whole(count * 2)]?.atMs ?? 1000 + whole(stormMs)) - whole(2500)),
        node: whole(3),
        ...workOf(random, `wish ${index}`),
        cancelAfterMs: random.next() < 0.1 ? whole(3000) : undefined,
        waits: random.next() < 0.3,
        repeatAfterMs: later.next() < 0.3 ? Math.floor(later.next() * 6000) : undefined,
      }),
    ).concat(late.flatMap((fault) => lastingWishes(fault, later))),
  };
}

/** What a node has when a fault strikes it, and keeps for longer than that takes. */
function lastingWishes({ atMs, node }: Fault, random: Random): Wish[] {
  return Array.from({ length: 4 }, (_, index) => ({
    atMs: Math.max(1000, atMs - 200 - Math.floor(random.next() * 1500)),
    node,
    pattern: "one",
    input: { key: `lasting wish ${index}`, ms: 25_000 },
    cancelAfterMs: undefined,
    waits: false,
    repeatAfterMs: undefined,
  }));
}

function workOf(random: Random, key: string): Pick<Wish, "pattern" | "input"> {
  const chance = random.next();
  if (chance < 0.03) return { pattern: "nobody", input: { key } };
  if (chance < 0.06) return { pattern: "hasty", input: { key, ms: 20_000 } };
  if (chance < 0.1) return { pattern: pick(["one", "three"], random), input: { key, failing: 0.6 } };
  if (chance < 0.13) return { pattern: "quorum", input: { key, disagree: true } };
  if (chance < 0.16) return { pattern: "one", input: { key, ms: 15_000 } };
  return { pattern: pick(usual, random), input: { key } };
}

function faultOf(random: Random, kind: FaultKind): Fault {
  const whole = (below: number): number => Math.floor(random.next() * below);
  return {
    kind,
    atMs: 2000 + whole(stormMs),
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
