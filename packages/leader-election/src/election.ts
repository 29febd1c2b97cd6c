import {
  type Clock,
  createListeners,
  errorMessage,
  type Listener,
  type Logger,
  onAbort,
  ParallaxError,
  type Random,
  type Unsubscribe,
  withDeadline,
} from "@parallax/core";
import { createCampaign } from "./campaign.ts";
import { leaseHolder } from "./lease.ts";
import { type ElectionSettings, electionSettings } from "./options.ts";
import { createReign, type Reign } from "./reign.ts";
import type { LeaseReading, LeaseRecord, LeaseStore } from "./store.ts";
import { createWake } from "./wake.ts";
import type { LeaseWatchdog } from "./watchdog.ts";

/** Options of {@link createElection}. Relations are checked: `leaseDurationMs > renewDeadlineMs > 1.2 × retryPeriodMs > 0`. */
export interface ElectionOptions {
  /** Where the lease is kept: `memoryLeaseStore(space)` or `redisLeaseStore(client)`. Stays open after `run`. */
  readonly store: LeaseStore;
  /** This node's name, shown to people. Identity is the name and a random incarnation (L5). */
  readonly nodeId: string;
  /** Shared with membership where both are used. Default: random. */
  readonly incarnation?: string;
  /** Milliseconds that a lease lasts in the store without a renewal. Default 15 000. */
  readonly leaseDurationMs?: number;
  /** Milliseconds for which the holder trusts its last acknowledged renewal. Default 2/3 of the lease. */
  readonly renewDeadlineMs?: number;
  /** Milliseconds between renewals. Default 2/15 of the lease. */
  readonly retryPeriodMs?: number;
  /** Replicas that must acknowledge a renewal before it counts (L3). Default 0. */
  readonly replicas?: number;
  /** What to do when the store has no record at all. Default `acquire`: at once only where L2 proves that nobody leads. */
  readonly onMissingRecord?: "acquire" | "wait";
  /** What happens when work outlives its lost lease. Default `expire`: wait for it, never release under it. `exit` ends the process. */
  readonly overrun?: "expire" | "exit";
  /**
   * A healthy node with a higher priority is handed the lease once it has been a candidate for a lease duration. Default 0.
   */
  readonly priority?: number;
  /**
   * From `@parallax/leader-election/watchdog`: ends the process, from a thread of its own, if work blocks the event loop until
   * the lease runs out. Default: none; then only `assertValid` and the fence stop such work.
   */
  readonly watchdog?: LeaseWatchdog;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives failures of the background loop that are retried, what listeners throw, and what `work` throws while its term ends. */
  readonly onError?: (error: unknown) => void;
}

/** One period of leadership. Its token rises with every term of the cluster (L1). */
export interface Term {
  /** The fencing token: present it with every write; stores refuse a lower one (L7). */
  readonly token: number;
  /** Aborts when leadership ends, for whatever reason; `reason` is a ParallaxError `lease_lost` or `stepped_down`. */
  readonly signal: AbortSignal;
  /** Milliseconds for which the lease is still certainly ours; 0 or less when it is not. Worked out at each call. */
  remaining(): number;
  /** @throws ParallaxError `lease_lost` unless `remaining() > 0`. Call it before any effect outside a fenced store. */
  assertValid(): void;
  /** Ends this term and campaigns for one above `fence`: a store has seen a higher token than ours (L1, L8). */
  reissue(fence: number): void;
}

/** The leader as the store last showed it. Old news by nature: never decide on it, only show it. */
export interface LeaderInfo {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly term: number;
}

/** What an election reports. */
export type ElectionEvent =
  | { readonly type: "elected"; readonly term: number }
  | { readonly type: "ended"; readonly term: number; readonly reason: TermEnd }
  | { readonly type: "leader"; readonly leader: LeaderInfo | undefined }
  /** The store's lineage changed under our term, by a fail-over or a restart: raise the fences again (L8). */
  | { readonly type: "store-changed"; readonly term: number };

/** Why a term ended. */
export type TermEnd =
  | "returned"
  | "stepped-down"
  | "deadline"
  | "superseded"
  | "deposed"
  | "reissued"
  | "stopped";

/** How {@link Election.stepDown} gives the lease up. */
export interface StepDownOptions {
  /** The node that alone may take the lease at first, for two retry periods. Default: anyone. */
  readonly to?: string;
  /** How long this node does not take the lease again, in milliseconds. Default: one retry period. */
  readonly cooldownMs?: number;
}

/** What {@link Election.depose} did. */
export interface DeposeResult {
  /** Whom it fenced, or undefined if nobody held the lease. */
  readonly deposed: LeaderInfo | undefined;
  /** The term of the tombstone: every later term is higher. */
  readonly term: number;
}

/** Figures for metrics and health, worked out at each call. */
export interface ElectionStats {
  /** Valid now, by the lease's remaining time; never a remembered flag. */
  readonly isLeader: boolean;
  readonly term: number | undefined;
  readonly leaseRemainingMs: number;
  /** How many terms the store has granted in this cluster: the same figure on every node that sees the store. */
  readonly termsGranted: number;
  readonly lastRenewMs: number | undefined;
  readonly renewFailures: number;
  /** From the previous holder's end, as far as it was seen, to our grant. */
  readonly lastHandoverMs: number | undefined;
  /** The longest time by which a timer of the loop came late within the last minute or two. */
  readonly loopStallMs: number;
  /** Whether work still runs though another node may hold the lease by now (L4). */
  readonly workOverran: boolean;
}

/**
 * A leader election over one lease.
 *
 * Guarantee: at most one node holds a *valid* term, as far as clocks run at rates within renewDeadline/leaseDuration of each
 * other and the store keeps what it acknowledged. Where it may not, {@link Term.token} still orders the leaders: a store
 * that refuses lower tokens never takes a stale leader's write. Without fencing no lease can promise a single leader.
 */
export interface Election {
  /**
   * Campaigns until `signal` aborts; runs `work` in every term won. When `work` returns, the term is released. When the
   * term is lost its signal aborts and `work` must end; only then is the lease released (L4).
   * After a `work` that returned, this node stays away for one retry period, so that others get a turn.
   * Resolves once stopped and released. One `run` at a time. What `work` throws during an abort goes to `onError`.
   * @throws ParallaxError `already_running`, `invalid_options` if `work` is no function; whatever `work` throws outside an
   * abort, after releasing.
   */
  run(work: (term: Term) => Promise<void>, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** The leader as last seen, undefined when there is none. */
  leader(): LeaderInfo | undefined;
  /** The current valid term of this node. */
  term(): Term | undefined;
  /** Calls `listener` with each event, in order. */
  subscribe(listener: Listener<ElectionEvent>): Unsubscribe;
  /**
   * Gives the lease up: aborts the term, waits for its work, writes the tombstone. Where the store cannot be reached the
   * lease is left to expire. Do not await it inside `work`, which it waits for.
   * @throws ParallaxError `not_leader`; `invalid_options` if `to` is this node.
   */
  stepDown(options?: StepDownOptions): Promise<void>;
  /**
   * Fences the holder, whoever and wherever it is, with a tombstone of a higher term. The one operation after which two valid
   * terms may overlap, where the holder cannot be reached. @throws ParallaxError `timeout` (outcome unknown), and the store's.
   */
  depose(): Promise<DeposeResult>;
  /** Figures for metrics and health, worked out at the call. */
  stats(): ElectionStats;
  readonly nodeId: string;
  readonly incarnation: string;
}

/** Creates an election. Nothing is sent before `run`. @throws ParallaxError `invalid_options`, naming the broken relation. */
export function createElection(options: ElectionOptions): Election {
  const settings = electionSettings(options);
  const { store, clock, nodeId, incarnation } = settings;
  const wake = createWake(clock);
  const listeners = createListeners<ElectionEvent>((error) =>
    report(settings, "a listener of the election failed", error),
  );
  const figures = createFigures();
  let leader: LeaderInfo | undefined;
  let reign: Reign | undefined;
  let isRunning = false;
  let isStopped = false;

  function onReading(reading: LeaseReading): void {
    figures.termsGranted = Math.max(figures.termsGranted, reading.record?.termsGranted ?? 0);
    const seen = leaderInfo(leaseHolder(reading));
    if (seen?.term === leader?.term && seen?.incarnation === leader?.incarnation) return;
    leader = seen;
    listeners.emit({ type: "leader", leader });
  }

  const campaign = createCampaign({
    settings,
    wake,
    isStopped: () => isStopped,
    onReading,
    onError: (error) => report(settings, "campaigning for the lease failed; it is tried again", error),
    onHandover(handoverMs) {
      figures.lastHandoverMs = handoverMs;
    },
  });
  const reignContext = {
    settings,
    wake,
    onReading: campaign.see,
    onRenewed(roundTripMs: number): void {
      figures.lastRenewMs = roundTripMs;
    },
    onRenewFailed(error: unknown): void {
      figures.renewFailures += 1;
      report(settings, "a renewal failed; it is tried again", error);
    },
    emit: listeners.emit,
  };

  async function campaignAndReign(work: (term: Term) => Promise<void>): Promise<void> {
    while (!isStopped) {
      const grant = await campaign.run();
      if (!grant) return;
      reign = createReign(grant, reignContext);
      // A grant that arrives after the stop is given back without a term.
      if (isStopped) reign.end("stopped");
      const { cooldownMs, fence } = await reign.run(work);
      campaign.raise(fence);
      campaign.coolDown(cooldownMs);
    }
  }

  return {
    nodeId,
    incarnation,
    async run(work, { signal } = {}) {
      if (typeof work !== "function")
        throw new ParallaxError(
          "invalid_options",
          "running the election: pass the work as a function of the term",
        );
      if (isRunning) {
        throw new ParallaxError(
          "already_running",
          "running the election: it runs already; make another for other work",
        );
      }
      isRunning = true;
      isStopped = false;
      const unsubscribe = store.subscribe(wake.hint);
      const forget = onAbort(signal, () => {
        isStopped = true;
        reign?.end("stopped");
        wake.nudge();
      });
      try {
        await campaignAndReign(work);
      } finally {
        forget();
        unsubscribe();
        isRunning = false;
      }
    },
    leader: () => leader,
    term: () => reign?.term(),
    subscribe: listeners.subscribe,
    async stepDown({ to, cooldownMs } = {}) {
      if (to === nodeId) {
        throw new ParallaxError(
          "invalid_options",
          "stepping down in favour of this very node: name another, or none",
        );
      }
      if (!reign?.term()) throw notLeader(nodeId, leader);
      reign.end("stepped-down", { to, ...(cooldownMs === undefined ? {} : { cooldownMs }) });
      await reign.over;
    },
    async depose() {
      const deadlineMs = settings.callTimeoutMs;
      const sent = store.depose({ nodeId, incarnation }, { deadlineMs, replicas: settings.replicas });
      const what = "deposing the leader";
      const { deposed, reading } = await withDeadline(sent, { clock, timeoutMs: deadlineMs, what });
      settings.logger.warn("deposed the leader", { deposed: deposed?.nodeId, term: reading.record?.term });
      onReading(reading);
      return { deposed: leaderInfo(deposed), term: reading.record?.term ?? 0 };
    },
    stats() {
      const leaseRemainingMs = Math.max(0, reign?.remainingMs() ?? 0);
      const isLeader = reign?.term() !== undefined;
      const loopStallMs = wake.stallMs();
      const workOverran = reign?.hasOverrun() ?? false;
      return {
        ...figures,
        isLeader,
        term: isLeader ? reign?.token : undefined,
        leaseRemainingMs,
        loopStallMs,
        workOverran,
      };
    },
  };
}

type Figures = {
  termsGranted: number;
  lastRenewMs: number | undefined;
  renewFailures: number;
  lastHandoverMs: number | undefined;
};

function createFigures(): Figures {
  return { termsGranted: 0, lastRenewMs: undefined, renewFailures: 0, lastHandoverMs: undefined };
}

function leaderInfo(record: LeaseRecord | undefined): LeaderInfo | undefined {
  return record && { nodeId: record.nodeId, incarnation: record.incarnation, term: record.term };
}

function report(settings: ElectionSettings, message: string, error: unknown): void {
  settings.logger.warn(message, { error: errorMessage(error) });
  settings.onError(error);
}

function notLeader(nodeId: string, leader: LeaderInfo | undefined): ParallaxError<"not_leader"> {
  const ask = leader ? `ask ${leader.nodeId}` : "nobody leads, so there is nothing to give up";
  return new ParallaxError("not_leader", `stepping down: ${nodeId} does not lead; ${ask}`, {
    details: { leader: leader?.nodeId },
  });
}
