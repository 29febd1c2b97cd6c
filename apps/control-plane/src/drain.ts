import { type Clock, errorMessage, type Logger } from "@parallax/core";
import type { Health } from "@parallax/health";
import type { Membership } from "@parallax/membership";
import type { Work } from "./work.ts";

export interface DrainOptions {
  readonly health: Pick<Health, "markDraining">;
  readonly membership: Pick<Membership, "drain">;
  readonly work: {
    readonly peers: Pick<Work["peers"], "takers">;
    readonly ownership: Pick<Work["ownership"], "open" | "handOver" | "leave">;
    readonly hub: Pick<Work["hub"], "size" | "drain" | "terminate">;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drainTimeoutMs: number;
  /** Asks the store for the time, so that what must not count against deadlines is known before anything is handed over (X8). */
  readonly lookAtTime: () => Promise<void>;
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
/** What is left has this time at most to be written, in ms. */
const longestLeaveMs = 1000;

/**
 * Takes a node out of service without a failed request or a lost execution: not ready, announced as draining, leadership
 * handed over; then its executions are given to others and its agents sent away, spread over the time that there is.
 * Resolves when nothing is left to do, or after `drainTimeoutMs`.
 */
export function createDrain(options: DrainOptions): Drain {
  const { health, membership, work, clock, logger, drainTimeoutMs, stopLeading, lastRequestMs } = options;
  const { lookAtTime } = options;
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
    const late = new Promise<"late">((resolve) => {
      deadline.signal.addEventListener("abort", () => resolve("late"), { once: true });
    });
    const leaveMs = Math.min(longestLeaveMs, drainTimeoutMs / 10);
    const cancel = clock.after(drainTimeoutMs - leaveMs, () => deadline.abort());
    // A step that waits for a store which does not answer must not keep the node beyond its time.
    const how = await Promise.race([steps(deadline.signal), late]);
    cancel();
    const left = work.ownership.open;
    await leave(leaveMs);
    work.hub.terminate();
    const facts = { ms: Math.round(clock.now() - startedMs), left };
    if (how === "late") logger.warn("the time to drain is over; ending with what is left", facts);
    else logger.info("drained", facts);
  }

  /** X7: that it ends now is no crash, which is written to what it leaves; not for long, where the store does not answer. */
  async function leave(ms: number): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(ms, resolve);
    });
    await Promise.race([step("leave", work.ownership.leave), late]);
    cancel();
  }

  async function steps(deadline: AbortSignal): Promise<void> {
    await Promise.all([step("announce", () => membership.drain()), step("look at the time", lookAtTime)]);
    const peers = work.peers.takers();
    await Promise.all([
      step("step down", stopLeading),
      step("send agents away", () => work.hub.drain(peers.length > 0 ? drainTimeoutMs / 3 : 0, deadline)),
      step("hand over", () => work.ownership.handOver(peers)),
      step("serve stragglers", () => untilQuiet(peers.length > 0, deadline)),
    ]);
    // What came in meanwhile.
    await step("hand over", () => work.ownership.handOver(work.peers.takers()));
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
