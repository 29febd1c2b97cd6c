import type { Clock } from "@parallax/core";

/** The one sleep of an election's loop: it ends when its time is up, when something changed, or when it is told to. */
export interface Wake {
  /** Resolves after `ms` milliseconds, or at once when it was nudged since the last sleep. */
  sleep(ms: number): Promise<void>;
  /** Ends the sleep, or the next one. */
  nudge(): void;
  /** Nudges because something may have changed at the store (L6). */
  hint(): void;
  /** Whether there was a hint since the last call. */
  takeHint(): boolean;
  /** By how much a timer came late at worst since the last call, in ms. */
  takeStallMs(): number;
}

/** Makes the sleep of one loop. It is for one sleeper at a time. */
export function createWake(clock: Clock): Wake {
  let isNudged = false;
  let isHinted = false;
  let stallMs = 0;
  let end: () => void = () => {};

  const nudge = (): void => {
    isNudged = true;
    end();
  };
  return {
    async sleep(ms) {
      if (!isNudged && ms > 0) {
        const start = clock.mark();
        let cancel: () => void = () => {};
        await new Promise<void>((resolve) => {
          end = resolve;
          // Whole milliseconds, as timers have: a wait that is shorter than a clock can show would spin.
          cancel = clock.after(Math.ceil(ms), () => {
            stallMs = Math.max(stallMs, clock.elapsedAtLeast(start) - ms);
            resolve();
          });
        });
        cancel();
        end = () => {};
      }
      isNudged = false;
    },
    nudge,
    hint() {
      isHinted = true;
      nudge();
    },
    takeHint() {
      const wasHinted = isHinted;
      isHinted = false;
      return wasHinted;
    },
    takeStallMs() {
      const worst = stallMs;
      stallMs = 0;
      return worst;
    },
  };
}
