import type { Clock, Listener, Logger, Random, Unsubscribe } from "@parallax/core";
import type { MembershipStore } from "./store.ts";

/** How a member does, as the sweeps decide it: one missed interval suspects, `unhealthyThreshold` fail. */
export type MemberStatus = "healthy" | "suspect" | "failed" | "draining";

/** What a node says of itself with each beat. Small: it travels to every node. */
export interface MemberReport {
  /** The term that this node claims to lead in, and for how much longer, or undefined. Lapses by itself. */
  readonly leading: { readonly term: number; readonly remainingMs: number } | undefined;
  /** Free task slots by capability set, as the control plane defines them. */
  readonly capacity: Readonly<Record<string, number>>;
  /** Anything else that others should know; JSON-compatible, at most 4 KiB. */
  readonly facts: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** A member as the store shows it. */
export interface Member {
  readonly id: string;
  /** Random per process; an ended one never returns (M6). */
  readonly incarnation: string;
  /** Where others reach it. */
  readonly address: string;
  /** Where it runs, as it said itself. */
  readonly zone: string | undefined;
  readonly status: MemberStatus;
  /** Store time of its join and of its last acknowledged beat, in epoch ms. */
  readonly joinedAtMs: number;
  readonly lastBeatAtMs: number;
  readonly report: MemberReport;
}

/** All members at one moment. Within an epoch versions rise by one and every node sees the same sequence (M4). */
export interface View {
  readonly epoch: string;
  readonly version: number;
  /** Sorted by id, numbers inside ids by their value. Failed members stay listed until they are removed. */
  readonly members: readonly Member[];
  /** Store time of this look, in epoch ms: ages are differences to this. */
  readonly observedAtMs: number;
}

/** One transition of one member: one view version. */
export type MembershipEvent =
  | {
      readonly type:
        | "joined"
        | "suspected"
        | "recovered"
        | "failed"
        | "draining"
        | "left"
        | "removed"
        | "replaced";
      readonly member: string;
      readonly incarnation: string;
      readonly epoch: string;
      readonly version: number;
    }
  /** The store lost the table: a new epoch. Our incarnation goes on and joins again (M6). */
  | { readonly type: "reset"; readonly epoch: string; readonly version: number }
  /** Our own incarnation has ended (failed, or replaced by a newer process of the same id): drop what it owned. */
  | {
      readonly type: "ended";
      readonly incarnation: string;
      readonly reason: "failed" | "replaced" | "removed";
      readonly by: string | undefined;
    }
  /** M3: not acknowledged for our own time-out; give up leadership and new work. `back` when a beat got through again. */
  | { readonly type: "cut-off" }
  | { readonly type: "back" };

/** Options of `createMembership`. */
export interface MembershipOptions {
  /** Where the members are kept: `memoryMembershipStore(space)` or `redisMembershipStore(client)`. Stays open after `run`. */
  readonly store: MembershipStore;
  /** This node's name, unique in the cluster: 1 to 200 letters, digits or any of `._:@-`. */
  readonly nodeId: string;
  /** Of the first life of this process; shared with an election where both are used. Default: random (M6). */
  readonly incarnation?: string;
  /** Where others reach this node: `10.0.0.1:8080`. */
  readonly address: string;
  /** Shown to others. Default: none. */
  readonly zone?: string;
  /** Milliseconds between beats, at least 10. Default 5000. */
  readonly checkIntervalMs?: number;
  /** Milliseconds that bound one request; shorter than the interval. Default 3000. */
  readonly timeoutMs?: number;
  /** Missed intervals until a member fails. Default 3. */
  readonly unhealthyThreshold?: number;
  /** Milliseconds for which a failed member stays listed. Default 600 000, ten minutes. */
  readonly removeAfterMs?: number;
  /** Asked before each beat; at most 4 KiB as JSON, else the one before is sent. Default: nothing to say. */
  readonly report?: () => MemberReport;
  /** M7: whether all roles and partitions of this node work; a beat is withheld while it says no. Default: yes. */
  readonly vouch?: () => boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives failures that are tried again, and what listeners throw. Default: the log. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Who is in the cluster. Guarantees: a member that beats is never failed for another's clock, the store's absence or an
 * observer's stall (M1, M2, M5); an incarnation that ended never comes back (M6); every node sees the same versions (M4).
 */
export interface Membership {
  readonly nodeId: string;
  /** The current incarnation; a new one after ours has ended and we joined anew. */
  readonly incarnation: string;
  /** Joins, beats and sweeps until `signal` aborts, then leaves. @throws ParallaxError `replaced` when a newer process with this id and another address took over. */
  run(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Resolves after the first acknowledged join. @throws ParallaxError `not_running` once `run` has ended. */
  joined(): Promise<void>;
  /** The newest view that this node has seen, undefined before the first. */
  view(): View | undefined;
  /** Reads the view afresh from the store. @throws ParallaxError `timeout`, and the store's. */
  refresh(): Promise<View>;
  /** Whether `incarnation` has provably ended: left, failed, replaced or removed, and not merely unknown. */
  hasEnded(incarnation: string): Promise<boolean>;
  /**
   * Ends an incarnation that is no member, so that it can be proven: a later join or beat of it is answered `ended`.
   * False, and nothing changes, while it is a member. Call it only once it has been absent for a full time-out.
   */
  declareEnded(incarnation: string): Promise<boolean>;
  /** Sends a beat now: a change of role or capacity is reported at once. @throws ParallaxError `not_running`, and the store's. */
  beat(): Promise<void>;
  /** Announces that this member takes no new work. `id` of another member drains that one. @throws ParallaxError `unknown_member`. */
  drain(id?: string): Promise<void>;
  /** Calls `listener` with each event, in order. */
  subscribe(listener: Listener<MembershipEvent>): Unsubscribe;
  /** Milliseconds since the last acknowledged beat, at most (T3). */
  unacknowledgedMs(): number;
}
