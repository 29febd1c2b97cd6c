// From publishing in one process until the event arrives in another, at a steady rate; and how much goes through at most.

import { parseArgs } from "node:util";
import { startRedis } from "@parallax/testing";
import { median, monotonicUs, numbers, pause } from "./options.ts";
import { type RemoteReceiver, receive, startReceiver } from "./remote-receiver.ts";
import { type Sender, type Subject, subjects } from "./subjects.ts";

const defaults = { rate: 5000, seconds: 3, rounds: 5, flood: 100_000, window: 4000 };

interface Result {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

/** What does not arrive in ten seconds never does. */
async function arrival(receiver: RemoteReceiver, count: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (receiver.arrived < count && performance.now() < deadline) await pause(1);
  if (receiver.arrived < count) throw new Error(`${receiver.arrived} of ${count} events arrived`);
}

/** Whoever reads a stream begins at its end, some time after it was asked to: the first to arrive shows that it has. */
async function warmUp(sender: Sender, receiver: RemoteReceiver): Promise<void> {
  while (receiver.arrived === 0) {
    for (let count = 0; count < 100; count += 1) await sender.send({ index: -1, sentAtUs: monotonicUs() });
    await pause(50);
  }
  await pause(500);
  await receiver.report();
}

/** An open loop: an event is sent when it is due, whatever became of those before. */
async function sendSteadily(sender: Sender, rate: number, total: number): Promise<void> {
  const startedAt = performance.now();
  for (let index = 0; index < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate));
    for (; index < due; index += 1) sender.send({ index, sentAtUs: monotonicUs() }).catch(() => {});
    await pause(1);
  }
}

/** As fast as the receiver takes them: at most `window` have not arrived yet. Returns events per second. */
async function flood(
  sender: Sender,
  receiver: RemoteReceiver,
  total: number,
  window: number,
): Promise<number> {
  const [base, startedAt] = [receiver.arrived, performance.now()];
  for (let index = 0; index < total; ) {
    const last = Math.min(total, receiver.arrived - base + window, index + 500);
    for (; index < last; index += 1) sender.send({ index, sentAtUs: monotonicUs() }).catch(() => {});
    // Not in circles: the others need the cores.
    if (index - (receiver.arrived - base) >= window) await receiver.progress();
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await arrival(receiver, base + total);
  return total / ((performance.now() - startedAt) / 1000);
}

async function measure(subject: Subject, url: string, settings: typeof defaults): Promise<Result> {
  const { hostname, port } = new URL(url);
  const sender = await subject.openSender({ host: hostname, port: Number(port) });
  const receiver = await startReceiver(subject, url);
  await warmUp(sender, receiver);
  const total = settings.rate * settings.seconds;
  const base = receiver.arrived;
  await sendSteadily(sender, settings.rate, total);
  await arrival(receiver, base + total);
  const { p50Ms, p99Ms, gaps } = await receiver.report();
  const perSecond = await flood(sender, receiver, settings.flood, settings.window);
  const afterwards = await receiver.report();
  if (gaps + afterwards.gaps > 0) throw new Error(`${subject.name} reported a gap`);
  await receiver.close();
  await sender.close();
  return { p50Ms, p99Ms, perSecond };
}

async function compare(settings: typeof defaults): Promise<void> {
  const redis = await startRedis();
  const results = new Map<string, Result[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const subject of subjects) {
      await redis.send("FLUSHALL");
      results.get(subject.name)?.push(await measure(subject, redis.url, settings));
    }
  }
  await redis.stop();

  const rows = [...results].map(([name, all]) => ({
    name,
    p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
    bestP99Ms: Math.min(...all.map(({ p99Ms }) => p99Ms)),
    perSecond: median(all.map(({ perSecond }) => perSecond)),
    bestPerSecond: Math.max(...all.map(({ perSecond }) => perSecond)),
  }));
  const floor = rows.find(({ name }) => name.startsWith("PUBLISH"));
  const { rate, seconds, rounds, window } = settings;
  console.log(
    `publish to delivery across two processes: ${rate} events/s for ${seconds} s, then ${settings.flood} with at most ${window} on their way; medians of ${rounds}, and the best, which other work on the machine disturbs least`,
  );
  console.table(
    Object.fromEntries(
      rows.map(({ name, p50Ms, p99Ms, bestP99Ms, perSecond, bestPerSecond }) => [
        name,
        {
          "p50 ms": p50Ms.toFixed(2),
          "p99 ms": p99Ms.toFixed(2),
          "best p99": bestP99Ms.toFixed(2),
          "events/s": Math.round(perSecond),
          ratio: floor ? (perSecond / floor.perSecond).toFixed(2) : "",
          "best events/s": Math.round(bestPerSecond),
          "ratio of best": floor ? (bestPerSecond / floor.bestPerSecond).toFixed(2) : "",
        },
      ]),
    ),
  );
}

const { values } = parseArgs({
  options: { receive: { type: "string" }, from: { type: "string" } },
  strict: false,
});
if (typeof values.receive === "string" && typeof values.from === "string")
  await receive(values.receive, values.from);
else await compare(numbers(defaults));
