import { uptime } from "node:os";
import { hrtime } from "node:process";
import { Worker } from "node:worker_threads";
import { systemClock } from "@parallax/core";

/** Ends this process if its event loop is blocked while a lease runs out. Made by {@link createLeaseWatchdog}. */
export interface LeaseWatchdog {
  /** Work must have ended `ms` from now, or be on its way to: until then nobody else leads. Replaces what was said before. */
  arm(ms: number): void;
  /** No work is running, or the event loop has taken care of it by itself. */
  disarm(): void;
  /** Ends its thread. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of {@link createLeaseWatchdog}. */
export interface LeaseWatchdogOptions {
  /** What the process is ended with. Default `SIGKILL`: a blocked event loop hears no handler. `SIGABRT` leaves a core. */
  readonly signal?: NodeJS.Signals;
}

/** For how long the event loop may take to answer that it is free. */
const graceMs = 20;

/**
 * The other thread. Cells: 0 whether it is armed, 1 to 3 the deadline on the monotonic, boot and wall clocks in ns or ms (T3:
 * whichever comes first), 4 how often it was told something. A deadline that is read half old and half new is only early by
 * what has not passed yet.
 */
const watch = `
const { parentPort, workerData } = require("node:worker_threads");
const { uptime } = require("node:os");
const { writeSync } = require("node:fs");
const cells = new BigInt64Array(workerData.shared);
const told = new Int32Array(workerData.shared, 40, 1);
for (;;) {
  const seen = Atomics.load(told, 0);
  const at = (index) => Atomics.load(cells, index);
  const leftMs = at(0) === 0n ? 60000 : Math.min(
    Number(at(1) - process.hrtime.bigint()) / 1e6,
    Number(at(2)) - uptime() * 1000,
    Number(at(3)) - Date.now(),
  );
  if (leftMs > 0) {
    // Clocks jump, so none is trusted for longer than this.
    Atomics.wait(told, 0, seen, Math.min(leftMs, 250));
    continue;
  }
  parentPort.postMessage("are you there?");
  if (Atomics.wait(told, 0, seen, workerData.graceMs) !== "timed-out") continue;
  writeSync(2, "the event loop is blocked and the lease runs out: ending the process with " + workerData.signal + "\\n");
  process.kill(process.pid, workerData.signal);
  Atomics.wait(told, 0, seen, 1000);
}
`;

/**
 * Watches, in a thread of its own, over the one thing that timers can't: work that blocks the event loop until its lease is
 * another's. Give it to one election; each election takes one of its own. Where the loop is free it never ends anything.
 *
 * @example createElection({ store, nodeId, watchdog: createLeaseWatchdog() });
 */
export function createLeaseWatchdog(options: LeaseWatchdogOptions = {}): LeaseWatchdog {
  const { signal = "SIGKILL" } = options;
  const shared = new SharedArrayBuffer(48);
  const cells = new BigInt64Array(shared);
  const told = new Int32Array(shared, 40, 1);
  const worker = new Worker(watch, { eval: true, workerData: { shared, signal, graceMs } });

  const tell = (): void => {
    Atomics.add(told, 0, 1);
    Atomics.notify(told, 0);
  };
  const disarm = (): void => {
    Atomics.store(cells, 0, 0n);
    tell();
  };
  // The loop is free, so its own timers give the term up and deal with work that does not end.
  worker.on("message", disarm);
  // It never keeps a process alive. After the listener, which would keep it.
  worker.unref();
  return {
    arm(ms) {
      Atomics.store(cells, 1, hrtime.bigint() + BigInt(Math.round(ms * 1e6)));
      Atomics.store(cells, 2, BigInt(Math.round(uptime() * 1000 + ms)));
      Atomics.store(cells, 3, BigInt(Math.round(systemClock.wall() + ms)));
      Atomics.store(cells, 0, 1n);
      tell();
    },
    disarm,
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
