import { type Random, seededRandom } from "@parallax/core";
import { electionPresets } from "../../src/index.ts";

/** What goes wrong, when and where. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  /** An index, or whoever leads then. Faults of the store ignore it. */
  readonly node: number | "leader";
  /** How long it lasts, or by how much a clock steps, or how far a fail-over goes back. */
  readonly ms: number;
}

/** Every kind of fault, with the largest `ms` in lease durations. Clock steps may be negative. */
export const faultKinds = {
  "lossy link": 3,
  "doubling link": 3,
  "slow link": 2,
  "deaf link": 3,
  "mute link": 3,
  "no hints": 4,
  pause: 2.5,
  "machine sleep": 2.5,
  "wall clock step": 200,
  "long work": 2.5,
  "process crash": 2,
  stop: 2,
  "step down": 1,
  depose: 1,
  reissue: 1,
  "store clock step": 4,
  "store away": 2,
  "store restart": 0.5,
  "store restart without data": 0.5,
  "store fail-over": 1,
  flush: 1,
} as const;

export type FaultKind = keyof typeof faultKinds;

export interface Scenario {
  readonly seed: number;
  readonly durations: (typeof electionPresets)["default" | "fast"];
  /** One for each node: how fast its clock runs. */
  readonly rates: readonly number[];
  readonly priorities: readonly number[];
  readonly storeRate: number;
  readonly onMissingRecord: "acquire" | "wait";
  readonly faults: readonly Fault[];
  /** From then on nothing goes wrong any more. */
  readonly healAtMs: number;
  readonly endAtMs: number;
}

const kinds = Object.keys(faultKinds).filter(isFaultKind);

function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(faultKinds, text);
}

/** The scenario of a seed: three to seven nodes, at least five faults, ten minutes, the last ten leases of them without. */
export function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed);
  const pick = <const Value>(values: readonly [Value, ...Value[]]): Value =>
    values[Math.floor(random.next() * values.length)] ?? values[0];
  const nodes = 3 + Math.floor(random.next() * 5);
  const rate = (): number => 0.9 + random.next() * 0.2;
  const durations = pick([electionPresets.default, electionPresets.default, electionPresets.fast]);
  const onMissingRecord = pick<"acquire" | "wait">(["acquire", "acquire", "wait"]);
  const endAtMs = 600_000;
  const healAtMs = endAtMs - 10 * durations.leaseDurationMs;
  const count = 5 + Math.floor(random.next() * 35);
  const faults = Array.from({ length: count }, () => fault(random, { nodes, durations, healAtMs })).sort(
    (one, other) => one.atMs - other.atMs,
  );
  return {
    seed,
    durations,
    rates: Array.from({ length: nodes }, rate),
    priorities: Array.from({ length: nodes }, () => pick([0, 0, 0, 0, 1, 2])),
    storeRate: rate(),
    onMissingRecord,
    faults,
    healAtMs,
    endAtMs,
  };
}

function fault(
  random: Random,
  { nodes, durations, healAtMs }: Pick<Scenario, "durations" | "healAtMs"> & { nodes: number },
): Fault {
  const kind = kinds[Math.floor(random.next() * kinds.length)] ?? "pause";
  const atMs = Math.floor(random.next() * healAtMs);
  const size = random.next() * faultKinds[kind] * durations.leaseDurationMs;
  const goesBack = kind === "wall clock step" || kind === "store clock step";
  const ms = Math.floor(goesBack && random.next() < 0.5 ? -size : size);
  return { kind, atMs, node: Math.floor(random.next() * nodes), ms };
}
