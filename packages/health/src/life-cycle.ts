import type { LifeCycleState } from "./health.ts";

/** What moves a life cycle: the owner's words, and whether everything is well. */
export interface LifeCycleInput {
  readonly phase: "starting" | "serving" | "draining" | "stopped";
  /** No check fails or warns, and the process is not overloaded. */
  readonly well: boolean;
}

/** The state that follows. Pure. */
export function stateOf({ phase, well }: LifeCycleInput): LifeCycleState {
  if (phase !== "serving") return phase;
  return well ? "ready" : "degraded";
}

const order = ["starting", "serving", "draining", "stopped"] as const;

/** A phase never goes back: who has begun to drain does not become ready again. */
export function laterPhase(
  current: LifeCycleInput["phase"],
  next: LifeCycleInput["phase"],
): LifeCycleInput["phase"] {
  return order.indexOf(next) > order.indexOf(current) ? next : current;
}
