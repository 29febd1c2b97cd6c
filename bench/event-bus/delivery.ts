// From publishing on one node until the event arrives on another, at a steady rate; and how much goes through at most.

import { startRedis } from "@parallax/testing";
import { median, numbers, pause, quantile } from "./options.ts";
import { type Subject, subjects } from "./subjects.ts";

const { rate, seconds, rounds, flood } = numbers({ rate: 5000, seconds: 5, rounds: 3, flood: 50_000 });

interface Result {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

async function measure(subject: Subject, url: string): Promise<Result> {
  const sentAt = new Map<number, number>();
  const latencies: number[] = [];
  let arrived = 0;
  const open = await subject.open(
    url,
    (index) => {
      arrived += 1;
      const at = sentAt.get(index);
      if (at !== undefined) latencies.push(performance.now() - at);
    },
    () => {},
  );

  const total = rate * seconds;
  const startedAt = performance.now();
  for (let index = 0; index < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate));
    for (; index < due; index += 1) {
      sentAt.set(index, performance.now());
      open.send(index).catch(() => {});
    }
    await pause(1);
  }
  await until(() => arrived >= total);
  latencies.sort((one, other) => one - other);

  sentAt.clear();
  const floodStartedAt = performance.now();
  const inFlight = 500;
  const base = arrived;
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < flood) {
        next += 1;
        await open.send(total + next);
      }
    }),
  );
  await until(() => arrived >= base + flood);
  const perSecond = flood / ((performance.now() - floodStartedAt) / 1000);
  await open.close();
  return { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99), perSecond };
}

/** What does not arrive in ten seconds never does. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition() && performance.now() < deadline) await pause(1);
}

const redis = await startRedis();
const results = new Map<string, Result[]>(subjects.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const subject of subjects) {
    await redis.send("FLUSHALL");
    results.get(subject.name)?.push(await measure(subject, redis.url));
  }
}
await redis.stop();

const rows = [...results].map(([name, all]) => ({
  name,
  "p50 ms": median(all.map(({ p50Ms }) => p50Ms)),
  "p99 ms": median(all.map(({ p99Ms }) => p99Ms)),
  "events/s": median(all.map(({ perSecond }) => perSecond)),
}));
const floor = rows.find(({ name }) => name.startsWith("PUBLISH"));
console.log(
  `publish to delivery, ${rate} events/s for ${seconds} s, then ${flood} with 500 in flight; median of ${rounds}`,
);
console.table(
  Object.fromEntries(
    rows.map(({ name, ...row }) => [
      name,
      {
        "p50 ms": row["p50 ms"].toFixed(2),
        "p99 ms": row["p99 ms"].toFixed(2),
        "p99 ratio": floor ? (row["p99 ms"] / floor["p99 ms"]).toFixed(2) : "",
        "events/s": Math.round(row["events/s"]),
        "events/s ratio": floor ? (row["events/s"] / floor["events/s"]).toFixed(2) : "",
      },
    ]),
  ),
);
