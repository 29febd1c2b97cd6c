import { type Clock, onAbort } from "@parallax/core";

/** A wait that can be cut short. A pulse that finds nobody waiting ends the next wait at once. */
export interface Pulse {
  /** Resolves after `ms`, at a pulse, or when `signal` aborts, whichever is first. Says how much later than asked, in ms. */
  wait(ms: number, signal: AbortSignal): Promise<{ readonly lateMs: number }>;
  pulse(): void;
}

export function createPulse(clock: Clock): Pulse {
  let pending = false;
  let wake: () => void = () => {};
  return {
    async wait(ms, signal) {
      const dueMs = clock.now() + ms;
      if (!pending && !signal.aborted && ms > 0) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(ms, done);
          const forget = onAbort(signal, done);
          wake = done;
          function done(): void {
            cancel();
            forget();
            resolve();
          }
        });
      }
      wake = () => {};
      pending = false;
      return { lateMs: Math.max(0, clock.now() - dueMs) };
    },
    pulse() {
      pending = true;
      wake();
    },
  };
}
