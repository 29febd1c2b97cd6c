// How many changes a second go through with so many in flight; and how long one takes when they come by chance, at half that rate.

import { seededRandom } from "@parallax/core";
import { startRedis } from "@parallax/testing";
import { median, numbers, quantile } from "../event-bus/options.ts";
import { floor, type OpenSubject, ours, peer, type Subject, subjects } from "./subjects.ts";

const { inFlight, changes, seconds, rounds } = numbers({
  inFlight: 100,
  changes: 30_000,
  seconds: 4,
  rounds: 5,
});

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Changes a second while there are always as many in flight. */
async function throughput(open: OpenSubject, total: number): Promise<number> {
  let begun = 0;
  const startedAt = performance.now();
  const clients = Array.from({ length: inFlight }, async () => {
    while (begun < total) {
      begun += 1;
      await open.change();
    }
  });
  await Promise.all(clients);
  return total / ((performance.now() - startedAt) / 1000);
}

/**
 * Sorted milliseconds from when each change was due until it was acknowledged. Changes fall due at random, as independent
 * callers make them, whether or not the ones before are done: what waits behind a slow one counts with its whole wait.
 */
async function latencies(open: OpenSubject, rate: number): Promise<readonly number[]> {
  const random = seededRandom(1);
  const waits: number[] = [];
  const pending: Promise<void>[] = [];
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  const gapMs = (): number => (-Math.log(1 - random.next()) / rate) * 1000;
  for (let dueAt = startedAt; dueAt < until; dueAt += gapMs()) {
    while (performance.now() < dueAt) await tick();
    const due = dueAt;
    pending.push(open.change().then(() => void waits.push(performance.now() - due)));
  }
  await Promise.all(pending);
  return waits.toSorted((one, other) => one - other);
}

const redis = await startRedis();
const rates = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));

async function onFreshServer<Result>(
  { open }: Subject,
  measure: (open: OpenSubject) => Promise<Result>,
): Promise<Result> {
  await redis.send("FLUSHALL");
  const opened = await open(redis.url);
  try {
    await throughput(opened, changes / 5);
    return await measure(opened);
  } finally {
    await opened.close();
  }
}

for (let round = 0; round < rounds; round += 1) {
  for (const subject of subjects) {
    const rate = await onFreshServer(subject, (open) => throughput(open, changes));
    rates.get(subject.name)?.push(rate);
  }
}
const rateOf = ({ name }: Subject): number => median(rates.get(name) ?? []);

const half = rateOf(ours) / 2;
const open = new Map<string, { readonly p50: number; readonly p99: number }>();
for (const subject of subjects) {
  // A subject that does not even reach that rate would only show its queue.
  if (rateOf(subject) < half * 1.2) continue;
  const runs: (readonly number[])[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    runs.push(await onFreshServer(subject, (opened) => latencies(opened, half)));
  }
  const at = (q: number) => median(runs.map((run) => quantile(run, q)));
  open.set(subject.name, { p50: at(0.5), p99: at(0.99) });
}
await redis.stop();

console.log(`${changes} changes with ${inFlight} in flight; median of ${rounds} rounds, in turn`);
console.log(`open loop: ${Math.round(half)} changes/s for ${seconds} s, half the rate of ${ours.name}`);
console.table(
  Object.fromEntries(
    subjects.map((subject) => {
      const waits = open.get(subject.name);
      return [
        subject.name,
        {
          "changes/s": Math.round(rateOf(subject)),
          [`ratio to ${peer.name}`]: (rateOf(subject) / rateOf(peer)).toFixed(2),
          "ratio to HSET": (rateOf(subject) / rateOf(floor)).toFixed(2),
          "p50 ms": waits?.p50.toFixed(2) ?? "",
          "p99 ms": waits?.p99.toFixed(2) ?? "",
        },
      ];
    }),
  ),
);
