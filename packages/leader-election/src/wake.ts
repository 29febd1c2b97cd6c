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
  /** By how much a timer came late at worst within the last one to two minutes, in ms. */
  stallMs(): number;
}

/** For how long a late timer is remembered at least, in ms. */
const stallWindowMs = 60_000;

/** Makes the sleep of one loop. It is for one sleeper at a time. */
export function createWake(clock: Clock): Wake {
  let isNudged = false;
  let isHinted = false;
  let stall = { sinceMs: clock.now(), worstMs: 0, previousMs: 0 };
  let end: () => void = () => {};

  function noteStall(lateMs: number): void {
    const ageMs = clock.now() - stall.sinceMs;
    if (ageMs >= stallWindowMs) {
      const previousMs = ageMs < 2 * stallWindowMs ? stall.worstMs : 0;
      stall = { sinceMs: clock.now(), worstMs: 0, previousMs };
    }
    stall.worstMs = Math.max(stall.worstMs, lateMs);
  }

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
            noteStall(clock.elapsedAtLeast(start) - Math.ceil(ms));
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
    stallMs() {
      noteStall(0);
      return Math.max(stall.worstMs, stall.previousMs);
    },
  };
}
