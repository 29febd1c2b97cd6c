import { uptime } from "node:os";
import { abortError, onAbort } from "./abort.ts";
import type { CancelTimer, Clock, TimeMark } from "./clock.ts";

/** setTimeout fires at once when it is asked for more than 2^31 - 1 ms; longer waits are taken in steps. */
const longestTimerMs = 2_147_483_647;

/** Reading the boot time opens a file, which costs more than the call that is measured: marks close to each other share it. */
const sharedForMs = 1;
let boot = { atMs: Number.NEGATIVE_INFINITY, ms: 0 };

function readBoot(atMs: number): number {
  boot = { atMs, ms: uptime() * 1000 };
  return boot.ms;
}

/** A boot time that is a moment too early makes `elapsedAtMost` say a moment more, which is its harmless direction. */
function mark(): TimeMark {
  const monotonicMs = performance.now();
  const bootMs = Math.abs(monotonicMs - boot.atMs) < sharedForMs ? boot.ms : readBoot(monotonicMs);
  return { monotonicMs, bootMs, wallMs: Date.now() };
}

function after(ms: number, callback: () => void): CancelTimer {
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, longestTimerMs);
    timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
  };
  arm(Math.max(0, ms));
  return () => clearTimeout(timer);
}

/** The clock of this process: `performance.now`, `os.uptime` and `Date.now`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  mark,
  elapsedAtLeast: (since) => performance.now() - since.monotonicMs,
  elapsedAtMost(since) {
    const monotonicMs = performance.now();
    return Math.max(
      monotonicMs - since.monotonicMs,
      readBoot(monotonicMs) - since.bootMs,
      Date.now() - since.wallMs,
    );
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      let forget = (): void => {};
      const cancel = after(ms, () => {
        forget();
        resolve();
      });
      forget = onAbort(signal, () => {
        cancel();
        reject(abortError(signal));
      });
    });
  },
  after,
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
};
