import { createListeners, noopLogger, systemClock } from "@parallax/core";
import { defaultLoopBounds, watchEventLoop } from "./event-loop.ts";
import type { CheckFinding, Health, HealthOptions, HealthSnapshot, LifeCycleState } from "./health.ts";
import { type LifeCycleInput, laterPhase, stateOf } from "./life-cycle.ts";
import { respond } from "./respond.ts";
import { type RunningCheck, runCheck } from "./running-check.ts";

/**
 * Makes the health of this process: `starting` until it is marked ready.
 *
 * @example
 * const health = createHealth();
 * health.check({ name: "database", run: async () => ({ status: (await ping()) ? "pass" : "fail" }) });
 * health.markReady();
 */
export function createHealth(options: HealthOptions = {}): Health {
  const { clock = systemClock, logger = noopLogger } = options;
  const { usage, ...given } = options.overload ?? {};
  const bounds = { ...defaultLoopBounds, ...given };
  const loop = watchEventLoop({ clock, bounds, onWindow: tell, ...(usage && { usage }) });
  const checks = new Map<string, RunningCheck>();
  const listeners = createListeners<LifeCycleState>((error) =>
    logger.error("a listener of the health failed", { error }),
  );
  let phase: LifeCycleInput["phase"] = "starting";
  let shown: LifeCycleState = "starting";

  function findings(): Record<string, CheckFinding & { readonly atMs: number }> {
    const load = loop.load();
    const eventLoop: CheckFinding & { readonly atMs: number } = {
      status: load.overloaded ? "warn" : "pass",
      observedValue: Math.round(load.utilization * 100) / 100,
      observedUnit: "utilization",
      atMs: clock.wall(),
      ...(load.overloaded
        ? { output: "the event loop is overloaded; take load off this process, or add another" }
        : {}),
    };
    return Object.fromEntries([
      ...[...checks].map(([name, check]) => [name, check.finding()] as const),
      ["event-loop", eventLoop],
    ]);
  }

  function snapshot(): HealthSnapshot {
    const found = findings();
    const statuses = Object.values(found).map(({ status }) => status);
    const blocked = [...checks.values()].some((check) => check.blocks());
    const state = stateOf({ phase, well: statuses.every((status) => status === "pass") });
    const ready = phase === "serving" && !blocked;
    const status = !ready ? "fail" : state === "ready" ? "pass" : "warn";
    return { state, status, ready, live: true, checks: found };
  }

  function tell(): void {
    const { state } = snapshot();
    if (state === shown) return;
    logger.info("health changed", { from: shown, to: state });
    shown = state;
    listeners.emit(state);
  }

  function enter(next: LifeCycleInput["phase"]): void {
    phase = laterPhase(phase, next);
    tell();
  }

  return {
    check(check) {
      const running = runCheck(check, clock, tell);
      checks.get(check.name)?.stop();
      checks.set(check.name, running);
      return () => {
        running.stop();
        if (checks.get(check.name) === running) checks.delete(check.name);
      };
    },
    snapshot,
    markReady: () => enter("serving"),
    markDraining: () => enter("draining"),
    markStopped: () => enter("stopped"),
    subscribe: (listener) => listeners.subscribe(listener),
    handle: (request) => respond(request, snapshot(), options),
    close() {
      loop.stop();
      for (const check of checks.values()) check.stop();
    },
  };
}
