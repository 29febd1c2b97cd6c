import { type Clock, isParallaxError, type Logger, onAbort, type Unsubscribe } from "@parallax/core";
import type { Term } from "@parallax/leader-election";
import type { StateStore } from "@parallax/state-store";

/** Background work that the leader does, and nobody else. Every write in it carries the term (L7) and is right by itself (L9). */
export interface Duty {
  readonly name: string;
  /** Milliseconds between the end of one run and the start of the next. */
  readonly everyMs: number;
  run(term: Term): Promise<void>;
  /** Calls `wake` when a run should not wait for its time. */
  readonly wakes?: (wake: () => void) => Unsubscribe;
}

export interface DutiesOptions {
  readonly store: StateStore;
  readonly duties: readonly Duty[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRun?: (name: string, durationMs: number, ok: boolean) => void;
}

/**
 * What a node does while it leads: raises the fence in every partition before it reads anything (L8), then runs the duties
 * until the term ends. Resolves when all of them have stopped.
 */
export function createLeadership(options: DutiesOptions): (term: Term) => Promise<void> {
  const { store, duties, clock, logger, onRun } = options;

  async function runDuty(duty: Duty, term: Term): Promise<void> {
    const rest = createRest(clock);
    const forget = duty.wakes?.(rest.wake);
    while (!term.signal.aborted) {
      rest.begin();
      const startedMs = clock.now();
      let ok = true;
      try {
        term.assertValid();
        await duty.run(term);
      } catch (error) {
        ok = false;
        if (term.signal.aborted) break;
        logger.warn("a duty failed; it runs again", { duty: duty.name, error });
      }
      onRun?.(duty.name, clock.now() - startedMs, ok);
      await rest.over(duty.everyMs, term.signal);
    }
    forget?.();
  }

  async function raiseFence(term: Term): Promise<boolean> {
    while (!term.signal.aborted) {
      try {
        const raised = await store.raiseFence(term.token);
        if (raised.outcome === "ok") return true;
        term.reissue(raised.fence);
        return false;
      } catch (error) {
        logger.warn("could not raise the fence; trying again", { term: term.token, error });
        await clock.sleep(500, term.signal).catch(ignoreAbort);
      }
    }
    return false;
  }

  return async (term) => {
    // The election itself tells of its terms.
    logger.debug("the duties begin", { term: term.token });
    if (await raiseFence(term)) await Promise.all(duties.map((duty) => runDuty(duty, term)));
    // A term lasts until it is lost or given up, not until its duties happen to end.
    if (!term.signal.aborted)
      await new Promise<void>((resolve) =>
        term.signal.addEventListener("abort", () => resolve(), { once: true }),
      );
    logger.debug("the duties have ended", { term: term.token });
  };
}

/** The time between two runs of a duty: whoever wakes it during a run has it follow at once. */
function createRest(clock: Clock): {
  begin(): void;
  wake(): void;
  over(ms: number, signal: AbortSignal): Promise<void>;
} {
  let isWoken = false;
  let end = (): void => {};
  return {
    begin() {
      isWoken = false;
    },
    wake() {
      isWoken = true;
      end();
    },
    async over(ms, signal) {
      if (isWoken || signal.aborted) return;
      await new Promise<void>((resolve) => {
        end = () => {
          cancel();
          forget();
          resolve();
        };
        const cancel = clock.after(ms, end);
        const forget = onAbort(signal, end);
      });
    },
  };
}

function ignoreAbort(error: unknown): void {
  if (!isParallaxError(error, "aborted")) throw error;
}
