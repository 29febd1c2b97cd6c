import { type Random, seededRandom } from "@parallax/core";
import { electionPresets } from "../../src/index.ts";
import type { Fault, FaultKind, Scenario } from "./scenario.ts";

/** One strike: what goes wrong together, each at a moment of its own, up to `spreadMs` after `laterMs`. */
type Strike = (
  at: (kind: FaultKind, node: Fault["node"], ms: number, spreadMs?: number, laterMs?: number) => void,
  random: Random,
) => void;

const leaseMs = electionPresets.default.leaseDurationMs;
const minute = 60_000;

/**
 * Designs that look right and are not, each as the sequence of faults that breaks them. A history strikes a dozen times, at
 * moments, on clocks and with node counts of its seed.
 */
export const attacks = {
  "B1: store and candidate share a host whose clock steps": (at, random) => {
    const ms = random.next() < 0.5 ? minute : -60 * minute;
    at("store clock step", 0, ms);
    at("wall clock step", 0, ms);
    if (random.next() < 0.5) at("process crash", 0, 50, 2000);
    if (random.next() < 0.3) at("process crash", "leader", leaseMs, 2000);
  },
  "B2: store and leader restart together while a fresh node looks": (at, random) => {
    const how = random.next();
    if (how < 0.4) at("store restart without data", 0, 500);
    else if (how < 0.7) at("store fail-over", 0, random.next() * leaseMs);
    else at("flush", 0, 0);
    if (random.next() < 0.7) at("process crash", "leader", 300, 1000);
    at("process crash", 0, 300, 1000);
    at("process crash", 1, 300, 1000);
    at("mute link", "leader", random.next() * leaseMs, 1000);
  },
  "B4: a leader wakes up behind a fence, and one is elected below it": (at, random) => {
    if (random.next() < 0.5) return at("pause", "leader", 1.5 * leaseMs);
    at("store clock step", 0, 40 * leaseMs);
    at("step down", "leader", 0, 3000);
    // Nobody may remember the high term, or no later one is below it.
    for (let node = 0; node < 7; node += 1) at("process crash", node, 6000, 2000, 4000);
    at("store restart without data", 0, 200, 3000, 6000);
    at("store clock step", 0, -40 * leaseMs, 3000, 6000);
  },
  "B8: a holder that cannot be reached is deposed, and a valid one finds the store rewound": (at, random) => {
    if (random.next() < 0.6) at(random.next() < 0.5 ? "mute link" : "deaf link", "leader", leaseMs);
    if (random.next() < 0.7) at("depose", 0, 0, 3000);
    if (random.next() < 0.4) at("store fail-over", 0, random.next() * leaseMs, 5000);
    if (random.next() < 0.3) at("flush", 0, 0, 5000);
  },
} as const satisfies Record<string, Strike>;

/** The history of an attack: ten minutes like any other, but with these faults. */
export function attackScenario(attack: keyof typeof attacks, seed: number): Scenario {
  const random = seededRandom(seed);
  const nodes = 3 + Math.floor(random.next() * 5);
  const rate = (): number => 0.9 + random.next() * 0.2;
  const endAtMs = 10 * minute;
  const healAtMs = endAtMs - 10 * leaseMs;
  const faults: Fault[] = [];
  for (
    let strikeMs = 5000;
    strikeMs < healAtMs - 2 * leaseMs;
    strikeMs += 2 * leaseMs + random.next() * 10_000
  ) {
    attacks[attack]((kind, node, ms, spreadMs = 0, laterMs = 0) => {
      const atMs = Math.floor(strikeMs + laterMs + random.next() * spreadMs);
      faults.push({ kind, node, ms: Math.floor(ms), atMs });
    }, random);
  }
  return {
    seed,
    durations: electionPresets.default,
    rates: Array.from({ length: nodes }, rate),
    priorities: Array.from({ length: nodes }, () => 0),
    storeRate: rate(),
    onMissingRecord: "acquire",
    faults: faults.sort((one, other) => one.atMs - other.atMs),
    healAtMs,
    endAtMs,
  };
}
