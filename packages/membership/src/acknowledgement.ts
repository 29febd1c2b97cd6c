import type { CancelTimer, Clock, TimeMark } from "@parallax/core";

/** What {@link createAcknowledgement} needs. */
export interface AcknowledgementOptions {
  readonly clock: Clock;
  /** Milliseconds without an acknowledged beat after which this node counts itself as cut off. */
  readonly cutOffAfterMs: number;
  readonly onChange: (state: "cut-off" | "back") => void;
}

/**
 * Watches the own beats (M3): a node whose beats are not acknowledged gives up by itself before others may fail it. Time is
 * counted from the mark before the request (T1), and as the most that can have passed (T3).
 */
export interface Acknowledgement {
  /** The store acknowledged the beat before whose sending `mark` was taken. */
  confirm(mark: TimeMark): void;
  /** Milliseconds since the last acknowledged beat, at most; endless before the first. */
  elapsedMs(): number;
  /** Stops the timer. The next acknowledgement starts it again. */
  stop(): void;
}

export function createAcknowledgement(options: AcknowledgementOptions): Acknowledgement {
  const { clock, cutOffAfterMs, onChange } = options;
  let last: TimeMark | undefined;
  let isCutOff = false;
  let cancel: CancelTimer = () => {};

  function elapsedMs(): number {
    return last ? clock.elapsedAtMost(last) : Number.POSITIVE_INFINITY;
  }

  function check(): void {
    if (!last || isCutOff) return;
    const leftMs = cutOffAfterMs - elapsedMs();
    // Rounded up: a timer that fires a fraction early would otherwise be set again and again.
    if (leftMs > 0) cancel = clock.after(Math.ceil(leftMs), check);
    else {
      isCutOff = true;
      onChange("cut-off");
    }
  }

  return {
    confirm(mark) {
      cancel();
      // A machine that slept finds its beats acknowledged again before its timer fires: it was cut off all the same.
      check();
      cancel();
      last = mark;
      if (isCutOff) {
        isCutOff = false;
        onChange("back");
      }
      check();
    },
    elapsedMs,
    stop() {
      cancel();
    },
  };
}
