import type { Unsubscribe } from "@parallax/core";

/** Who wants or holds a lease: a node's name and the random incarnation of its process (L5). */
export interface Holder {
  readonly nodeId: string;
  readonly incarnation: string;
}

/** The lease as stored. It has no expiry of its own: an absent record is a loss, not a vacancy (L2). */
export interface LeaseRecord extends Holder {
  readonly term: number;
  /**
   * Differs from every earlier one of the same term, so that two looks can tell a living holder from a dead one: it rises
   * by one with each renewal, and begins at the store's time where a record is written anew.
   */
  readonly renewal: number;
  /**
   * How long the holder had held the term, by its own clock and at most, when it sent its last renewal, in ms. Between two
   * renewals it rises by as much as the store's time, or the store's clock has stepped between them (T3).
   */
  readonly heldForMs: number;
  /** `lost` is a placeholder, see {@link LeaseStore.markLoss}; it is nobody's, and its term is 0. */
  readonly state: "held" | "released" | "deposed" | "lost";
  /** Store time in ms at which a held lease ends; of a tombstone: at which it was written. */
  readonly expiresAtMs: number;
  /** How long the holder's renewals last. A candidate waits at least as long, also while a new duration is rolled out. */
  readonly leaseDurationMs: number;
  /**
   * The lineage of the store (`master_replid`) under which the record stands without a break since its grant, as far as it
   * is known. A record that was written anew has none until its holder has shown that it still renews it.
   */
  readonly lineage: string;
  /** The holder's priority, so that only who is above it challenges. */
  readonly priority: number;
  /** Of a tombstone: the only node that may take it before `reservedUntilMs`. */
  readonly reservedFor: string | undefined;
  readonly reservedUntilMs: number;
  /** How many terms were granted so far; carried from record to record. */
  readonly termsGranted: number;
  /** Priority of the best candidate that announced itself, see ElectionOptions.priority. */
  readonly challenger: { readonly nodeId: string; readonly priority: number } | undefined;
}

/** One look at the store: the record and the circumstances that say how far it can be believed. */
export interface LeaseReading {
  readonly record: LeaseRecord | undefined;
  /** The store's own clock in ms. */
  readonly storeTimeMs: number;
  readonly lineage: string;
  /**
   * For how long the store has certainly lost nothing, in ms: since its process began; 0 where it was told to forget since
   * (`FLUSHALL`), had to (eviction), or was promoted. Of use only where there is no record, and worked out only there.
   */
  readonly storeRemembersMs: number;
  /** A random mark of the store's process, new with each start. */
  readonly storeRunId: string;
}

/**
 * Why a candidate believes that it may take the lease; the store checks again what it can:
 * `tombstone` (released or deposed, same lineage, not reserved for another), `expired` (by store time, same lineage),
 * `vacant` (no record, nothing lost by the store for longer than a lease), `waited` (a full lease on the candidate's own clock since it
 * first saw this very record: checked by comparing term, renewal and lineage only).
 */
export type AcquireBasis = "tombstone" | "expired" | "vacant" | "waited";

/** A candidate's wish for a term, and what it rests on. */
export interface AcquireRequest extends Holder {
  readonly basis: AcquireBasis;
  /** The record that the decision rests on, or undefined for its absence. */
  readonly expected: { readonly term: number; readonly renewal: number } | undefined;
  /** The lineage that the candidate decided under; under another one the store refuses, whatever the basis (L2). */
  readonly lineage: string;
  readonly leaseDurationMs: number;
  /** The new term is above this, too. Default 0. */
  readonly aboveTerm: number;
  /** Terms granted as far as the candidate knows, so that the count survives a lost record. */
  readonly termsGranted: number;
  readonly priority: number;
}

/** Whether a term was granted; the reading shows the record as it is then. */
export type AcquireOutcome =
  | {
      readonly outcome: "granted";
      readonly term: number;
      readonly reading: LeaseReading;
      readonly replicas: number;
    }
  | { readonly outcome: "refused"; readonly reading: LeaseReading };

/** A holder's renewal. */
export interface RenewRequest extends Holder {
  readonly term: number;
  readonly leaseDurationMs: number;
  readonly termsGranted: number;
  readonly priority: number;
  /** See {@link LeaseRecord.heldForMs}. */
  readonly heldForMs: number;
  /** The last answer that the holder heard. It shows the store that this is no late copy from before a loss or a fail-over. */
  readonly seen: { readonly renewal: number; readonly lineage: string };
  /** Whether the holder is still valid, and so may write a record anew that the store lost or rewound. */
  readonly reassert: boolean;
}

/** Whether the lease was extended; the reading shows the record as it is then. */
export type RenewOutcome =
  | { readonly outcome: "renewed"; readonly reading: LeaseReading; readonly replicas: number }
  /** Someone else's term, or a tombstone, at or above ours. */
  | { readonly outcome: "lost"; readonly reading: LeaseReading };

/** The end of a term, by its holder; `reservedFor` alone may take the lease for `reserveMs`. */
export interface ReleaseRequest extends Holder {
  readonly term: number;
  readonly reservedFor: string | undefined;
  readonly reserveMs: number;
}

/**
 * What an election needs of a store. Each call is one attempt in one round trip and never waits or retries; the loop above
 * does. A call rejects with ParallaxError `timeout` (outcome unknown) or `redis_unavailable`-like codes; it never guesses.
 */
export interface LeaseStore {
  /** Reads without changing. */
  read(options?: CallDeadline): Promise<LeaseReading>;
  /** Grants `max(last + 1, store time in ms, aboveTerm + 1)` if the basis holds (L1, L2), atomically. */
  acquire(request: AcquireRequest, options: CallBounds): Promise<AcquireOutcome>;
  /**
   * Extends the holder's lease and takes the challenger out of the record; the answer still shows it. A record that is
   * missing or of a lower term (the store lost or rewound it) is written anew if `reassert` says that the holder is valid.
   */
  renew(request: RenewRequest, options: CallBounds): Promise<RenewOutcome>;
  /**
   * Puts a placeholder where there is no record, and changes nothing else. A candidate waits for a lease from *this* loss:
   * a record that comes back and is lost again meanwhile cannot be mistaken for the first loss.
   */
  markLoss(request: { readonly termsGranted: number }, options?: CallDeadline): Promise<LeaseReading>;
  /** Writes the tombstone if the lease is still the holder's; otherwise changes nothing. */
  release(request: ReleaseRequest, options: CallBounds): Promise<LeaseReading>;
  /** Writes a tombstone with a higher term over whatever is there. */
  depose(
    by: Holder,
    options: CallBounds,
  ): Promise<{ readonly deposed: LeaseRecord | undefined; readonly reading: LeaseReading }>;
  /** A candidate with a priority above the holder's makes itself known. */
  challenge(
    request: { readonly nodeId: string; readonly priority: number },
    options?: CallDeadline,
  ): Promise<void>;
  /** Hints that something changed. May be lost, doubled or late: timers are the truth (L6). */
  subscribe(onHint: () => void): Unsubscribe;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How long a call may take. */
export interface CallDeadline {
  /** Milliseconds after which the call rejects, with what it knows by then. */
  readonly deadlineMs: number;
}

/** How long a change may take, and who has to have it. */
export interface CallBounds extends CallDeadline {
  /** Replicas that must acknowledge it for it to count, as the outcome says. */
  readonly replicas: number;
}
