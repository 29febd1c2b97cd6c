import type { Clock, Listener, Logger, Unsubscribe } from "@parallax/core";

/**
 * A node's life: `starting → ready ⇄ degraded → draining → stopped`. `degraded` still takes traffic, until a critical check
 * has failed for longer than its grace.
 */
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
  /** A second check of the same name takes the place of the first. */
  readonly name: string;
  /** What throws, fails. `signal` aborts when the run is given up, at its bound or because the check was taken away. */
  readonly run: (signal: AbortSignal) => CheckFinding | Promise<CheckFinding>;
  /** Milliseconds between the end of one run and the next. Default 5000. */
  readonly intervalMs?: number;
  /** Bound of one run in milliseconds; a run that takes longer fails. Default 3000. */
  readonly timeoutMs?: number;
  /**
   * What a failing check does: `critical` makes the node not ready once it has failed for `graceMs` (and `degraded` until
   * then), `warning` only degrades it.
   */
  readonly severity?: "critical" | "warning";
  /** Milliseconds for which a critical check may fail before readiness goes. Default 0. */
  readonly graceMs?: number;
}

/** Options of `createHealth`. */
export interface HealthOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Shown as `serviceId` and `version`. */
  readonly serviceId?: string;
  readonly version?: string;
  /** From where the event loop counts as overloaded, which degrades. */
  readonly overload?: {
    /** Share of busy time in a window, 0 to 1. Default 0.95. */
    readonly utilization?: number;
    /** By how much a timer may come late, in ms. Default 1000. */
    readonly delayMs?: number;
    /** Default 5000. */
    readonly windowMs?: number;
    /** Busy and idle milliseconds of the loop since its start. Default: Node's own figures. */
    readonly usage?: () => { readonly active: number; readonly idle: number };
  };
}

/** Everything as of now, as the handlers show it. */
export interface HealthSnapshot {
  readonly state: LifeCycleState;
  readonly status: "pass" | "warn" | "fail";
  readonly ready: boolean;
  /** Always true: a blocked event loop shows by not answering at all, and nothing else may get a process killed. */
  readonly live: true;
  /** `atMs`: when it was found, epoch ms. */
  readonly checks: Readonly<Record<string, CheckFinding & { readonly atMs: number }>>;
}

/**
 * Health of a process. Liveness looks at nothing but the event loop: an outside system that is away must not get a process
 * killed. Readiness is the life cycle and the critical checks.
 */
export interface Health {
  /** Starts a check, and returns what ends it. */
  check(options: CheckOptions): Unsubscribe;
  snapshot(): HealthSnapshot;
  /** The node may take traffic from now on. */
  markReady(): void;
  /** The node takes no new traffic; there is no way back. */
  markDraining(): void;
  markStopped(): void;
  /** Tells each change of the state. */
  subscribe(listener: Listener<LifeCycleState>): Unsubscribe;
  /**
   * Answers `GET` and `HEAD` of `/health`, `/health/live` and `/health/ready` as `application/health+json`: 503 where the node
   * is not ready, else 200, with `warn` where something is not well. 404 for other paths, 405 for other methods.
   */
  handle(request: { readonly url: string; readonly method: string }): Response;
  /** Ends all checks and timers. */
  close(): void;
}
