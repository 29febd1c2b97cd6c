import type { Clock, Random } from "@parallax/core";
import type { Timeline } from "@parallax/testing";
import type { NodeParts } from "../../src/node/assemble.ts";
import type { SimulatedAgent } from "./agents.ts";
import type { Place, SharedStore } from "./cluster.ts";
import type { Network } from "./wire.ts";

/** How and when a process, or its part in the cluster, ended. */
export interface Fate {
  readonly how: string;
  readonly atMs: number;
}

/** A change that the store took back. */
export interface Loss {
  readonly atMs: number;
  /** Who had it in memory. */
  readonly owner: string | undefined;
  /** It was given to its owner so shortly before that it may not have been. */
  readonly isFresh: boolean;
}

/** Everything that a history consists of. */
export interface World {
  readonly timeline: Timeline;
  /** Of whoever stands outside of the cluster. */
  readonly outside: Clock;
  readonly random: Random;
  readonly places: readonly Place[];
  readonly agents: readonly SimulatedAgent[];
  readonly store: SharedStore;
  readonly fates: Fates;
  /** When a node accepted an execution for another one, which has to be told: by execution. */
  readonly delegatedAtMs: Map<string, number>;
  readonly network: Network & { lossy: number; lateMs: number; lineage: number };
  /** Writes a line of the story. */
  tell(line: string): void;
  /** Ends the process of a place, if one is there. */
  crash(place: Place, how: string): void;
  /** Calls `act` once, as soon as `condition` holds after a step, unless `withinMs` pass before. */
  once(condition: () => boolean, withinMs: number, act: () => void): void;
  /** When it last did that. */
  readonly forgotAtMs: number;
  /** The store goes back, or is emptied: `restore` does it. */
  forget(restore: () => void): void;
}

/** What has become of the owners of executions. */
export interface Fates {
  note(owner: string, how: string): void;
  of(owner: string): Fate | undefined;
}

export function createFates(nowMs: () => number): Fates {
  const fates = new Map<string, Fate>();
  return {
    note(owner, how) {
      if (!fates.has(owner)) fates.set(owner, { how, atMs: nowMs() });
    },
    of: (owner) => fates.get(owner),
  };
}

export function ownerOf({ work }: NodeParts): string {
  return work.peers.self().owner;
}

export function placeOf({ places }: Pick<World, "places">, index: number): Place {
  const place = places[index % places.length];
  if (!place) throw new Error("there is no place");
  return place;
}
