import {
  type Clock,
  type Logger,
  noopLogger,
  ParallaxError,
  type Random,
  randomId,
  safeOnError,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { ElectionOptions } from "./election.ts";
import type { LeaseStore } from "./store.ts";
import type { LeaseWatchdog } from "./watchdog.ts";

/** Durations that belong together, to spread into {@link ElectionOptions}. */
export const electionPresets = {
  /** Takes over within 15 s of a leader's last renewal. */
  default: { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 },
  /** Takes over within 3 s. For a store near by and processes whose event loop is never blocked for a second. */
  fast: { leaseDurationMs: 3000, renewDeadlineMs: 2000, retryPeriodMs: 500 },
} as const;

/** {@link ElectionOptions} with every default filled in and every relation checked. */
export interface ElectionSettings {
  readonly store: LeaseStore;
  readonly nodeId: string;
  readonly incarnation: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly replicas: number;
  readonly onMissingRecord: "acquire" | "wait";
  readonly overrun: "expire" | "exit";
  readonly priority: number;
  readonly watchdog: LeaseWatchdog | undefined;
  /** No call to the store waits longer. */
  readonly callTimeoutMs: number;
  /** How long before its deadline a term is given up, so that the work hears of it in time. */
  readonly abortMarginMs: number;
  /** By how much the store's clock may differ from ours over a span and still be believed (T3). */
  readonly clockToleranceMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

/** @throws ParallaxError `invalid_options`, naming the relation that does not hold. */
export function electionSettings(options: ElectionOptions): ElectionSettings {
  const { random = systemRandom, replicas = 0, priority = 0, leaseDurationMs = 15_000 } = options;
  const { renewDeadlineMs = (leaseDurationMs * 2) / 3, retryPeriodMs = (leaseDurationMs * 2) / 15 } = options;
  const { store, nodeId, incarnation, onMissingRecord = "acquire", overrun = "expire" } = options;
  require(typeof store?.acquire === "function", "store is a lease store, such as redisLeaseStore(client)");
  require(isName(nodeId), "nodeId is a text and not empty");
  require(incarnation === undefined || isName(incarnation), "incarnation is a text and not empty");
  require(["acquire", "wait"].includes(onMissingRecord), "onMissingRecord is acquire or wait");
  require(["expire", "exit"].includes(overrun), "overrun is expire or exit");
  require(Number.isFinite(leaseDurationMs), "leaseDurationMs is a finite number");
  require(leaseDurationMs > renewDeadlineMs, "leaseDurationMs > renewDeadlineMs");
  require(renewDeadlineMs > 1.2 * retryPeriodMs, "renewDeadlineMs > 1.2 × retryPeriodMs");
  require(retryPeriodMs > 0, "retryPeriodMs > 0");
  require(Number.isSafeInteger(replicas) && replicas >= 0, "replicas is a whole number of 0 or more");
  require(Number.isSafeInteger(priority) && priority >= 0, "priority is a whole number of 0 or more");

  const logger = options.logger ?? noopLogger;
  if (leaseDurationMs - renewDeadlineMs < retryPeriodMs) {
    logger.warn("work has less than a retry period to end after a lost lease; lengthen leaseDurationMs", {
      leaseDurationMs,
      renewDeadlineMs,
      retryPeriodMs,
    });
  }
  return {
    store,
    nodeId,
    incarnation: incarnation ?? randomId("", random),
    leaseDurationMs,
    renewDeadlineMs,
    retryPeriodMs,
    replicas,
    priority,
    watchdog: options.watchdog,
    onMissingRecord,
    overrun,
    // A third: after one call that hangs there is time for two more.
    callTimeoutMs: renewDeadlineMs / 3,
    abortMarginMs: Math.min(50, renewDeadlineMs / 100),
    // Used twice, for the holder's spans and for the candidate's: together half of what the holder leaves between its
    // deadline and the lease's end. The other half is for clock rates.
    clockToleranceMs: Math.min(1000, (leaseDurationMs - renewDeadlineMs) / 4),
    clock: options.clock ?? systemClock,
    random,
    logger,
    onError: safeOnError(options.onError ?? (() => {}), logger),
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function require(holds: boolean, relation: string): void {
  if (holds) return;
  throw new ParallaxError("invalid_options", `creating an election: it must hold that ${relation}`, {
    details: { relation },
  });
}
