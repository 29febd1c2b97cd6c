import type { Unsubscribe } from "@parallax/core";
import type { MemberReport, MembershipEvent, View } from "./membership.ts";

/** Who joins, and what it says of itself. */
export interface JoinRequest {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly address: string;
  readonly zone: string | undefined;
  readonly report: MemberReport;
}

/** `replaced` names the incarnation and address of the same id that this join ended; `ended` says that ours was ended before (M6). */
export type JoinOutcome =
  | {
      readonly outcome: "joined";
      readonly view: View;
      readonly replaced: { readonly incarnation: string; readonly address: string } | undefined;
    }
  | { readonly outcome: "ended"; readonly view: View };

/** One beat of a member. */
export interface BeatRequest {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly report: MemberReport;
  /** The epoch in which the caller was last acknowledged as a member: if it is still that one, no row was lost (M6). */
  readonly memberEpoch: string | undefined;
  /** The view that the caller has; the answer carries a view only if it changed. */
  readonly known: { readonly epoch: string; readonly version: number } | undefined;
}

/**
 * A beat never inserts: one that is replayed cannot bring anybody back. `rejoin`: the store lost the row and the
 * incarnation goes on. `ended`: it was failed, removed, left or replaced, and by whom.
 */
export type BeatOutcome =
  | { readonly outcome: "ok"; readonly storeTimeMs: number; readonly view: View | undefined }
  | { readonly outcome: "rejoin"; readonly storeTimeMs: number }
  | {
      readonly outcome: "ended";
      readonly storeTimeMs: number;
      readonly reason: "failed" | "replaced" | "removed";
      readonly by: { readonly incarnation: string; readonly address: string } | undefined;
    };

/** By which times a sweep judges, all in milliseconds but the threshold. */
export interface SweepRequest {
  readonly checkIntervalMs: number;
  readonly unhealthyThreshold: number;
  readonly removeAfterMs: number;
  /**
   * M5: the span of store time in which the sweeper believes the sweep to arrive. Outside of it nothing is swept: the store's
   * clock has jumped, or the request was on its way for longer than its sender waited.
   */
  readonly believed: { readonly notBeforeMs: number; readonly notAfterMs: number };
}

/** The transitions of one sweep, in order, each one view version; `shiftedMs` is the amnesty that was given (M1). */
export interface SweepOutcome {
  readonly view: View;
  readonly events: readonly MembershipEvent[];
  readonly shiftedMs: number;
  /** False if the sweep came outside of the believed span, and nothing was done. */
  readonly swept: boolean;
  /** Milliseconds until the next transition falls due if nobody beats; undefined if none will. */
  readonly nextInMs: number | undefined;
}

/** What a membership needs of a store: one attempt and one round trip a call, on the store's own clock (T2). */
export interface MembershipStore {
  join(request: JoinRequest, options: { readonly deadlineMs: number }): Promise<JoinOutcome>;
  beat(request: BeatRequest, options: { readonly deadlineMs: number }): Promise<BeatOutcome>;
  sweep(request: SweepRequest, options: { readonly deadlineMs: number }): Promise<SweepOutcome>;
  /** Without an incarnation: whichever the id has. */
  drain(
    request: { readonly nodeId: string; readonly incarnation?: string },
    options: { readonly deadlineMs: number },
  ): Promise<View>;
  leave(
    request: { readonly nodeId: string; readonly incarnation: string },
    options: { readonly deadlineMs: number },
  ): Promise<void>;
  read(options: { readonly deadlineMs: number }): Promise<View>;
  /**
   * The transitions after a version, in order and without holes (M4); undefined if the epoch is another by now, or if they
   * are no longer kept.
   */
  history(
    since: { readonly epoch: string; readonly version: number },
    options: { readonly deadlineMs: number },
  ): Promise<readonly MembershipEvent[] | undefined>;
  /** Whether the incarnation is known to have ended. An unknown one has not (M6). */
  hasEnded(incarnation: string, options: { readonly deadlineMs: number }): Promise<boolean>;
  /** Puts an incarnation that is no member among the ended ones; false if it is a member. */
  declareEnded(incarnation: string, options: { readonly deadlineMs: number }): Promise<boolean>;
  /** Hints that the view changed; may be lost. */
  subscribe(onHint: () => void): Unsubscribe;
  [Symbol.asyncDispose](): Promise<void>;
}
