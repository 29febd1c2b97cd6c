import type { CancelTimer, Clock } from "@parallax/core";

/** Something that is done once for all that asked for it within a while. */
export interface Soon {
  ask(): void;
  /** Not now, unless somebody asks again. */
  cancel(): void;
}

export function createSoon(clock: Pick<Clock, "after">, afterMs: number, act: () => void): Soon {
  let cancelTimer: CancelTimer | undefined;
  return {
    ask() {
      cancelTimer ??= clock.after(afterMs, () => {
        cancelTimer = undefined;
        act();
      });
    },
    cancel() {
      cancelTimer?.();
      cancelTimer = undefined;
    },
  };
}
