import { type Clock, errorMessage, type Logger } from "@parallax/core";
import type { Health } from "@parallax/health";
import type { Membership } from "@parallax/membership";
import type { Work } from "./work.ts";

export interface DrainOptions {
  readonly health: Health;
  readonly membership: Membership;
  readonly work: Work;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drainTimeoutMs: number;
  /** Ends leadership and the candidacy; resolves once the lease is released. */
  readonly stopLeading: () => Promise<void>;
  /** When the last API request was answered, on the clock. */
  readonly lastRequestMs: () => number;
}

/** The drain of a node; it happens once. */
export interface Drain {
  /** Aborts when the drain begins. */
  readonly signal: AbortSignal;
  /** Begins the drain, or joins the one that runs. */
  run(): Promise<void>;
}

/** Load balancers go on sending for a while after readiness has gone: stragglers are served until none came for this long. */
const quietMs = 2000;

/**
 * Takes a node out of service without a failed request or a lost execution: not ready, announced as draining, leadership
 * handed over; then its executions are given to others and its agents sent away, spread over the time that there is.
 * Resolves when nothing is left to do, or after `drainTimeoutMs`.
 */
export function createDrain(options: DrainOptions): Drain {
  const { health, membership, work, clock, logger, drainTimeoutMs, stopLeading, lastRequestMs } = options;
  const controller = new AbortController();
  let running: Promise<void> | undefined;

  /** Each step is done as well as it can be: one that fails must not keep the others from being done. */
  async function step(name: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      logger.warn("a step of the drain failed", { step: name, error: errorMessage(error) });
    }
  }

  async function drain(): Promise<void> {
    const startedMs = clock.now();
    logger.info("draining", { executions: work.ownership.open, agents: work.hub.size });
    health.markDraining();
    controller.abort();
    const deadline = new AbortController();
    const cancel = clock.after(drainTimeoutMs, () => deadline.abort());
    const peers = work.peers.takers();
    await step("announce", () => membership.drain());
    await Promise.all([
      step("step down", stopLeading),
      step("send agents away", () =>
        work.hub.drain(peers.length > 0 ? drainTimeoutMs / 3 : 0, deadline.signal),
      ),
      step("hand over", () => work.ownership.handOver(peers)),
      step("serve stragglers", () => untilQuiet(peers.length > 0, deadline.signal)),
    ]);
    // What came in meanwhile.
    await step("hand over", () => work.ownership.handOver(work.peers.takers()));
    cancel();
    work.hub.terminate();
    logger.info("drained", { ms: Math.round(clock.now() - startedMs), left: work.ownership.open });
  }

  async function untilQuiet(hasPeers: boolean, signal: AbortSignal): Promise<void> {
    const wantedMs = hasPeers ? Math.min(quietMs, drainTimeoutMs / 10) : 0;
    const startedMs = clock.now();
    while (!signal.aborted && clock.now() - Math.max(startedMs, lastRequestMs()) < wantedMs)
      await clock.sleep(50);
  }

  return {
    signal: controller.signal,
    run() {
      running ??= drain();
      return running;
    },
  };
}
