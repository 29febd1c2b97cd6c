import { exit } from "node:process";
import { errorMessage, isParallaxError, ParallaxError, type TimeMark, withDeadline } from "@parallax/core";
import type { ElectionEvent, Term, TermEnd } from "./election.ts";
import {
  endHolder,
  type HolderStep,
  holderLeaseLeftMs,
  holderRemainingMs,
  newHolder,
  nextHolderStep,
  renewalAnswered,
  renewalSent,
} from "./holder.ts";
import type { ElectionSettings } from "./options.ts";
import type { LeaseReading, ReleaseRequest } from "./store.ts";
import type { Wake } from "./wake.ts";

/** A lease that was granted. */
export interface Grant {
  readonly term: number;
  readonly reading: LeaseReading;
  readonly replicas: number;
  /** The mark before the request was sent (T1). */
  readonly sentAt: TimeMark;
}

/** What a reign shares with the rest of its election. */
export interface ReignContext {
  readonly settings: ElectionSettings;
  readonly wake: Wake;
  /** What the store showed, `sentAt` being the mark before it was asked. */
  readonly onReading: (reading: LeaseReading, sentAt: TimeMark) => void;
  readonly onRenewed: (roundTripMs: number) => void;
  readonly onRenewFailed: (error: unknown) => void;
  readonly emit: (event: ElectionEvent) => void;
}

/** How a term is given up. */
export interface EndOptions {
  readonly to?: string | undefined;
  readonly cooldownMs?: number;
  /** The next term must be above it. */
  readonly fence?: number;
}

/** One term from its grant to its tombstone. */
export interface Reign {
  readonly token: number;
  /** Begins to give the term up. The first reason stays; later calls change nothing. */
  end(reason: TermEnd, options?: EndOptions): void;
  /** L3, and 0 from the moment at which the release is sent. */
  remainingMs(): number;
  /** Whether the work still runs though the lease may be another's. */
  hasOverrun(): boolean;
  /** The term, once work may run under it. */
  term(): Term | undefined;
  /** Resolves when the term is over: released, or left to whoever has the lease, or to expire. */
  readonly over: Promise<Aftermath>;
  /** Runs the term. Never rejects for what the store does. @throws what `work` throws outside an abort. */
  run(work: (term: Term) => Promise<void>): Promise<Aftermath>;
}

/** What the end of a term asks of the next campaign. */
export interface Aftermath {
  readonly reason: TermEnd;
  readonly cooldownMs: number;
  readonly fence: number;
}

/** Makes the reign over a granted lease. */
export function createReign(grant: Grant, context: ReignContext): Reign {
  const { settings, wake, emit } = context;
  const { store, clock, logger } = settings;
  const controller = new AbortController();
  let resolveOver: (aftermath: Aftermath) => void = () => {};
  const over = new Promise<Aftermath>((resolve) => (resolveOver = resolve));
  let state = newHolder(grant, grant.sentAt, settings);
  let stage: "not-started" | "running" | "done" = "not-started";
  let failure: { readonly error: unknown } | undefined;
  let isReleased = false;
  let isHinted = false;
  let endOptions: EndOptions = {};

  const remainingMs = (): number => (isReleased ? 0 : holderRemainingMs(state, settings, clock));

  const term: Term = {
    token: grant.term,
    signal: controller.signal,
    remaining: remainingMs,
    assertValid() {
      if (remainingMs() <= 0) throw leaseLost(grant.term);
    },
    reissue(fence) {
      if (!Number.isSafeInteger(fence)) {
        throw new ParallaxError(
          "invalid_options",
          `reissuing term ${grant.term}: the fence is a whole number`,
        );
      }
      end("reissued", { to: settings.nodeId, cooldownMs: 0, fence });
    },
  };

  function end(reason: TermEnd, options: EndOptions = {}): void {
    if (state.ending) return;
    endOptions = options;
    state = endHolder(state, { reason, at: clock.mark(), to: options.to });
    announceAbort();
  }

  /** L4: the work hears first, before anybody else. */
  function announceAbort(): void {
    if (!state.ending || controller.signal.aborted) return;
    const { reason } = state.ending;
    logger.info("the term ends", { term: grant.term, reason });
    const isLost = reason === "deadline" || reason === "superseded" || reason === "deposed";
    controller.abort(isLost ? leaseLost(grant.term) : steppedDown(grant.term, reason));
    wake.nudge();
  }

  /** L4: a thread of its own sees to it that work which blocks this one is over before the lease is. */
  function guardWork(): void {
    const { watchdog, leaseDurationMs, renewDeadlineMs } = settings;
    // After the moment at which this thread would report the overrun by itself.
    const marginMs = (leaseDurationMs - renewDeadlineMs) / 20;
    if (stage !== "running" || state.hasOverrun) watchdog?.disarm();
    else watchdog?.arm(Math.max(0, holderLeaseLeftMs(state, settings, clock) - marginMs));
  }

  function start(work: (term: Term) => Promise<void>): void {
    stage = "running";
    guardWork();
    logger.info("elected", { term: grant.term });
    emit({ type: "elected", term: grant.term });
    const running = async (): Promise<void> => work(term);
    void running()
      .catch((error: unknown) => {
        if (!controller.signal.aborted) failure = { error };
        else if (!isAbort(error, controller.signal)) reportWork(error);
      })
      .finally(() => {
        stage = "done";
        guardWork();
        end("returned", { cooldownMs: settings.retryPeriodMs });
        wake.nudge();
      });
  }

  function reportWork(error: unknown): void {
    logger.warn("the work failed while its term ended", { term: grant.term, error: errorMessage(error) });
    settings.onError(error);
  }

  async function renew(step: HolderStep & { step: "renew" }): Promise<void> {
    const { reassert, timeoutMs } = step;
    // T1: the mark is taken before sending.
    const sentAt = clock.mark();
    state = renewalSent(state, sentAt, clock);
    isHinted = false;
    const { nodeId, incarnation, leaseDurationMs, priority, replicas } = settings;
    const termsGranted = grant.reading.record?.termsGranted ?? 0;
    const request = {
      nodeId,
      incarnation,
      term: grant.term,
      leaseDurationMs,
      termsGranted,
      priority,
      reassert,
      heldForMs: state.heldForMs,
      seen: state.seen,
    };
    try {
      const sent = store.renew(request, { deadlineMs: timeoutMs, replicas });
      const outcome = await withDeadline(sent, { clock, timeoutMs, what: "renewing the lease" });
      const { lineage } = state.seen;
      state = renewalAnswered(state, outcome, sentAt, clock.mark(), settings, clock);
      context.onReading(outcome.reading, sentAt);
      if (outcome.outcome === "renewed" && outcome.replicas < replicas)
        throw tooFewReplicas(outcome.replicas, replicas);
      if (outcome.outcome === "renewed") context.onRenewed(clock.elapsedAtLeast(sentAt));
      if (state.seen.lineage !== lineage) emit({ type: "store-changed", term: grant.term });
    } catch (error) {
      // L3: unknown is not renewed.
      context.onRenewFailed(error);
    }
    announceAbort();
    guardWork();
  }

  /** The tombstone, tried twice at most: if the store cannot be reached, the lease expires by itself. */
  async function release(): Promise<void> {
    isReleased = true;
    const to = state.ending?.to;
    const { nodeId, incarnation, callTimeoutMs, retryPeriodMs, replicas } = settings;
    const reserveMs = 2 * retryPeriodMs;
    const request: ReleaseRequest = { nodeId, incarnation, term: grant.term, reservedFor: to, reserveMs };
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        const timeoutMs = callTimeoutMs / 2;
        const sentAt = clock.mark();
        const sent = store.release(request, { deadlineMs: timeoutMs, replicas });
        context.onReading(
          await withDeadline(sent, { clock, timeoutMs, what: "releasing the lease" }),
          sentAt,
        );
        return;
      } catch (error) {
        settings.onError(error);
        logger.warn("the lease was not released", { term: grant.term, attempt, error: errorMessage(error) });
      }
    }
  }

  function reportOverrun(): void {
    state = { ...state, hasOverrun: true };
    guardWork();
    const message = `ending term ${grant.term}: the work outlives the lease; end it when term.signal aborts`;
    const error = new ParallaxError("work_overran", message, { details: { term: grant.term } });
    logger.error(error.message, { term: grant.term, overrun: settings.overrun });
    settings.onError(error);
    if (settings.overrun === "exit") exit(1);
  }

  async function untilOver(work: (term: Term) => Promise<void>): Promise<void> {
    for (;;) {
      isHinted = wake.takeHint() || isHinted;
      const step = nextHolderStep(state, stage, isHinted, settings, clock);
      switch (step.step) {
        case "start":
          start(work);
          break;
        case "renew":
          await renew(step);
          break;
        case "wait":
          await wake.sleep(step.ms);
          break;
        case "end":
          end(step.reason);
          break;
        case "overrun":
          reportOverrun();
          break;
        case "release":
          await release();
          return;
        case "leave":
          return;
      }
    }
  }

  return {
    token: grant.term,
    end,
    remainingMs,
    hasOverrun: () => state.hasOverrun && stage === "running",
    term: () => (stage !== "not-started" && remainingMs() > 0 ? term : undefined),
    over,
    async run(work) {
      await untilOver(work);
      isReleased = true;
      const reason = state.ending?.reason ?? "returned";
      const { cooldownMs = defaultCooldownMs(reason, settings), fence = 0 } = endOptions;
      const aftermath = { reason, cooldownMs, fence };
      // L4: announced last.
      if (stage === "done") emit({ type: "ended", term: grant.term, reason });
      resolveOver(aftermath);
      if (failure) throw failure.error;
      return aftermath;
    },
  };
}

/**
 * Who was asked or made to go stays away for a retry period, so that another gets its turn: standbys take a lease that was
 * given up at once. Not for longer: where no other takes it, or all others were asked to go before, nobody would lead.
 */
function defaultCooldownMs(reason: TermEnd, settings: ElectionSettings): number {
  return reason === "stepped-down" || reason === "deposed" ? settings.retryPeriodMs : 0;
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason || isParallaxError(error, "aborted") || isParallaxError(error, "lease_lost"))
    return true;
  return error instanceof Error && error.name === "AbortError";
}

function leaseLost(term: number): ParallaxError<"lease_lost"> {
  const message = `holding term ${term}: the lease is not certainly ours any more; stop what is done under it`;
  return new ParallaxError("lease_lost", message, { details: { term } });
}

function steppedDown(term: number, reason: TermEnd): ParallaxError<"stepped_down"> {
  const message = `holding term ${term}: it is being given up (${reason}); end the work, then it is released`;
  return new ParallaxError("stepped_down", message, { details: { term, reason } });
}

function tooFewReplicas(acknowledged: number, needed: number): ParallaxError<"too_few_replicas"> {
  const message = `renewing the lease: ${acknowledged} of ${needed} replicas acknowledged, so it does not count; check the replicas`;
  return new ParallaxError("too_few_replicas", message, { details: { acknowledged, needed } });
}
