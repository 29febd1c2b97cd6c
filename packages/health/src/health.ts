import type { Clock, Listener, Logger, Unsubscribe } from "@parallax/core";

/** A node's life: `starting → ready ⇄ degraded → draining → stopped`. `degraded` still takes traffic. */
export type LifeCycleState = "starting" | "ready" | "degraded" | "draining" | "stopped";

/** What one look of a check found. */
export interface CheckFinding {
  readonly status: "pass" | "warn" | "fail";
  /** Why it does not pass, and what to do about it. */
  readonly output?: string;
  readonly observedValue?: string | number | boolean;
  readonly observedUnit?: string;
}

/** A named check. It is run in the background, bounded in time, and only its last finding is shown: handlers do no I/O. */
export interface CheckOptions {
  readonly name: string;
  readonly run: () => CheckFinding | Promise<CheckFinding>;
  /** Milliseconds between the end of one run and the next. Default 5000. */
  readonly intervalMs?: number;
  /** Bound of one run in milliseconds; a run that takes longer fails. Default 3000. */
  readonly timeoutMs?: number;
  /**
   * What a failing check does: `critical` makes the node not ready once it has failed for `graceMs` (and `degraded` until
   * then), `warning` only degrades it.
   */
  readonly severity?: "critical" | "warning";
  /** Default 0. */
  readonly graceMs?: number;
}

export interface HealthOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Shown as `serviceId` and `version`. */
  readonly serviceId?: string;
  readonly version?: string;
  /** Bounds of the event loop: overload degrades, and a loop that does not move for `stallMs` fails liveness. */
  readonly overload?: {
    readonly utilization?: number;
    readonly delayMs?: number;
    readonly windowMs?: number;
  };
}

/** Everything as of now, as the handlers show it. */
export interface HealthSnapshot {
  readonly state: LifeCycleState;
  readonly status: "pass" | "warn" | "fail";
  readonly ready: boolean;
  readonly live: boolean;
  readonly checks: Readonly<Record<string, CheckFinding & { readonly atMs: number }>>;
}

/**
 * Health of a process. Liveness looks at nothing but the event loop: an outside system that is away must not get a process
 * killed. Readiness is the life cycle and the critical checks.
 */
export interface Health {
  check(options: CheckOptions): Unsubscribe;
  snapshot(): HealthSnapshot;
  /** The node may take traffic from now on. */
  markReady(): void;
  /** The node takes no new traffic; there is no way back. */
  markDraining(): void;
  markStopped(): void;
  subscribe(listener: Listener<LifeCycleState>): Unsubscribe;
  /** Answers `/health`, `/health/live` and `/health/ready` as `application/health+json`; 404 for other paths. */
  handle(request: { readonly url: string; readonly method: string }): Response;
  close(): void;
}
