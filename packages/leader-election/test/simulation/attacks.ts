import { type Random, seededRandom } from "@parallax/core";
import { electionPresets } from "../../src/index.ts";
import type { Fault, FaultKind, Scenario } from "./scenario.ts";

/** Takes in what goes wrong: at a moment of its own, up to `spreadMs` after `laterMs`. */
type At = (
  kind: FaultKind,
  node: Fault["node"],
  ms: number,
  when?: { readonly spreadMs?: number; readonly laterMs?: number },
) => void;

/** A design that looks right and is not, as the faults that break it. */
export interface Attack {
  readonly name: string;
  /** What must have happened, or the attack missed. */
  readonly signs: readonly string[];
  strike(at: At, random: Random): void;
}

const leaseMs = electionPresets.default.leaseDurationMs;
const minute = 60_000;

export const attacks: readonly Attack[] = [
  {
    name: "B1: store and candidate share a host whose clock steps",
    signs: ["store clock step", "acquire expired: granted", "acquire waited: granted"],
    strike(at, random) {
      const ms = random.next() < 0.5 ? minute : -60 * minute;
      at("store clock step", 0, ms);
      at("wall clock step", 0, ms);
      if (random.next() < 0.5) at("process crash", 0, 50, { spreadMs: 2000 });
      if (random.next() < 0.3) at("process crash", "leader", leaseMs, { spreadMs: 2000 });
    },
  },
  {
    name: "B2: store and leader restart together while a fresh node looks",
    signs: ["renew: renewed over a loss", "acquire waited: granted", "loss marked"],
    strike(at, random) {
      const how = random.next();
      if (how < 0.4) at("store restart without data", 0, 500);
      else if (how < 0.7) at("store fail-over", 0, random.next() * leaseMs);
      else at("flush", 0, 0);
      if (random.next() < 0.7) at("process crash", "leader", 300, { spreadMs: 1000 });
      at("process crash", 0, 300, { spreadMs: 1000 });
      at("process crash", 1, 300, { spreadMs: 1000 });
      at("mute link", "leader", random.next() * leaseMs, { spreadMs: 1000 });
    },
  },
  {
    name: "B4: a leader wakes up behind a fence, and one is elected below it",
    signs: ["write refused", "token falls where L1 says so", "reissued above a fence"],
    strike(at, random) {
      if (random.next() < 0.5) return at("pause", "leader", 1.5 * leaseMs);
      at("store clock step", 0, 40 * leaseMs);
      at("step down", "leader", 0, { spreadMs: 3000 });
      // Nobody may remember the high term, or no later one is below it.
      for (let node = 0; node < 7; node += 1) {
        at("process crash", node, 6000, { spreadMs: 2000, laterMs: 4000 });
      }
      at("store restart without data", 0, 200, { spreadMs: 3000, laterMs: 6000 });
      at("store clock step", 0, -40 * leaseMs, { spreadMs: 3000, laterMs: 6000 });
    },
  },
  {
    name: "B8: a holder that cannot be reached is deposed, and a valid one finds the store rewound",
    signs: ["overlap after depose", "renew: renewed over a loss", "ended: deposed"],
    strike(at, random) {
      if (random.next() < 0.6) at(random.next() < 0.5 ? "mute link" : "deaf link", "leader", leaseMs);
      if (random.next() < 0.7) at("depose", 0, 0, { spreadMs: 3000 });
      if (random.next() < 0.4) at("store fail-over", 0, random.next() * leaseMs, { spreadMs: 5000 });
      if (random.next() < 0.3) at("flush", 0, 0, { spreadMs: 5000 });
    },
  },
];

/**
 * A history of an attack: ten minutes in which it strikes a dozen times, at moments, on clocks and with a number of nodes
 * that its seed decides.
 */
export function attackScenario(attack: Attack, seed: number): Scenario {
  const random = seededRandom(seed);
  const nodes = 3 + Math.floor(random.next() * 5);
  const rate = (): number => 0.9 + random.next() * 0.2;
  const endAtMs = 10 * minute;
  const healAtMs = endAtMs - 10 * leaseMs;
  const faults: Fault[] = [];
  const lastMs = healAtMs - 2 * leaseMs;
  for (let strikeMs = 5000; strikeMs < lastMs; strikeMs += 2 * leaseMs + random.next() * 10_000) {
    const at: At = (kind, node, ms, { spreadMs = 0, laterMs = 0 } = {}) => {
      const atMs = Math.floor(strikeMs + laterMs + random.next() * spreadMs);
      faults.push({ kind, node, ms: Math.floor(ms), atMs });
    };
    attack.strike(at, random);
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
