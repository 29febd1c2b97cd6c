import { type CancelTimer, type Clock, ParallaxError } from "@parallax/core";

/** Time that passes only when told to. */
export interface VirtualClock extends Clock {
  advance(ms: number): Promise<void>;
}

/** Lets everything that needs no time happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

export function createVirtualClock(): VirtualClock {
  let now = 0;
  let timers: { readonly dueAt: number; readonly run: () => void }[] = [];
  const mark = (): { monotonicMs: number; bootMs: number; wallMs: number } => ({
    monotonicMs: now,
    bootMs: now,
    wallMs: now,
  });

  function after(ms: number, run: () => void): CancelTimer {
    const timer = { dueAt: now + Math.max(0, ms), run };
    timers.push(timer);
    return () => {
      timers = timers.filter((each) => each !== timer);
    };
  }

  return {
    now: () => now,
    wall: () => Date.UTC(2026, 0, 1) + now,
    mark,
    elapsedAtLeast: (since) => now - since.monotonicMs,
    elapsedAtMost: (since) => now - since.monotonicMs,
    after,
    every(ms, callback) {
      let cancel = after(ms, again);
      function again(): void {
        cancel = after(ms, again);
        callback();
      }
      return () => cancel();
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        const stop = (): void => reject(new ParallaxError("aborted", "the wait was aborted by its signal"));
        if (signal?.aborted) return stop();
        const cancel = after(ms, () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        });
        function abort(): void {
          cancel();
          stop();
        }
        signal?.addEventListener("abort", abort, { once: true });
      });
    },
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const next = timers
          .filter(({ dueAt }) => dueAt <= end)
          .sort((one, other) => one.dueAt - other.dueAt)[0];
        if (!next) break;
        timers = timers.filter((each) => each !== next);
        now = next.dueAt;
        next.run();
        await settle();
      }
      now = end;
    },
  };
}
