// Breaks Redis and its connections under load, and counts the events that neither arrived nor were reported as lost.

import {
  createFaultProxy,
  type FaultProxy,
  type RedisFixture,
  type SentinelFixture,
  startRedis,
  startSentinel,
} from "@parallax/testing";
import type { RedisOptions } from "ioredis";
import { monotonicUs, numbers, pause } from "./options.ts";
import { receiverName, type Sender, type Subject, subjects } from "./subjects.ts";

const { runs, failovers, rate } = numbers({ runs: 3, failovers: 2, rate: 1000 });

/** Where the load runs, and what may be done to it. */
interface Stage {
  readonly server: RedisFixture;
  readonly proxy: FaultProxy;
  readonly sentinel: SentinelFixture;
}

interface Strike {
  readonly name: string;
  /** Whether something is delivered before it. Default true. */
  readonly warm?: boolean;
  readonly onSentinel?: true;
  run(stage: Stage, subject: Subject): Promise<void>;
}

async function killReceiver({ server }: Stage): Promise<void> {
  const list = String(await server.send("CLIENT", "LIST"));
  const names = [receiverName, "parallax:subscriber"];
  for (const line of list
    .split("\n")
    .filter((client) => names.some((name) => client.includes(`name=${name}`))))
    await server.send("CLIENT", "KILL", "ID", Number(/\bid=(\d+)/.exec(line)?.[1])).catch(() => {});
}

async function cutOff({ proxy }: Stage): Promise<void> {
  await proxy.refuse();
  await pause(2000);
  proxy.pass();
}

const strikes: readonly Strike[] = [
  { name: "receiver's connection killed", run: killReceiver },
  { name: "receiver cut off for 2 s", run: cutOff },
  { name: "the same, before anything was delivered", warm: false, run: cutOff },
  {
    name: "receiver's packets lost for 2 s",
    async run({ proxy }) {
      proxy.blackhole();
      await pause(2000);
      proxy.pass();
    },
  },
  {
    name: "receiver cut off, log trimmed",
    async run(stage, { stream }) {
      const { server, proxy } = stage;
      await proxy.refuse();
      await pause(1000);
      if (stream !== undefined) await server.send("XTRIM", stream, "MAXLEN", 0);
      proxy.pass();
    },
  },
  { name: "FLUSHALL", run: async ({ server }) => void (await server.send("FLUSHALL")) },
  {
    name: "primary killed, replicas behind",
    onSentinel: true,
    async run({ sentinel }) {
      const old = await sentinel.primary();
      const replicas = sentinel.servers.filter((server) => server !== old);
      for (const replica of replicas) replica.pause();
      await old.send("CLIENT", "KILL", "TYPE", "replica");
      await pause(300);
      const failover = sentinel.failover({ kill: true });
      await pause(300);
      for (const replica of replicas) replica.resume();
      await failover;
      await old.restart();
      await sentinel.settled();
    },
  },
];

interface Losses {
  readonly silent: number;
  readonly reported: number;
}

/** Sends at the rate until it is stopped; remembers which sends were acknowledged, and when they began. */
function load(sender: Sender): { readonly acknowledged: Map<number, number>; stop(): Promise<void> } {
  const acknowledged = new Map<number, number>();
  let stopped = false;
  async function run(): Promise<void> {
    const startedAt = performance.now();
    for (let index = 0; !stopped; ) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * rate);
      for (; index < due; index += 1) {
        const [mine, sentAt] = [index, performance.now()];
        sender.send({ index: mine, sentAtUs: monotonicUs() }).then(
          () => acknowledged.set(mine, sentAt),
          () => {},
        );
      }
      await pause(2);
    }
  }
  const running = run();
  return {
    acknowledged,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

/** A gap says to reload everything: what was sent before it was told is reported, what was sent later is not. */
async function lossesOf(subject: Subject, strike: Strike, stage: Stage): Promise<Losses> {
  const { server, proxy, sentinel } = stage;
  const [master, nodes] = [sentinel.where.sentinel.master, sentinel.where.sentinel.nodes];
  const group = nodes.map((node) => ({ host: "127.0.0.1", port: Number(node.split(":")[1]) }));
  const [to, from]: readonly RedisOptions[] = strike.onSentinel
    ? [
        { sentinels: group, name: master },
        { sentinels: group, name: master },
      ]
    : [
        { host: "127.0.0.1", port: server.port },
        { host: "127.0.0.1", port: proxy.port },
      ];
  await (strike.onSentinel ? await sentinel.primary() : server).send("FLUSHALL");
  const arrived = new Set<number>();
  let lastGapAt = Number.NEGATIVE_INFINITY;
  const receiver = await subject.openReceiver(from ?? {}, {
    onArrival: ({ index }) => arrived.add(index),
    onGap() {
      lastGapAt = performance.now();
    },
  });
  const sender = await subject.openSender(to ?? {});
  // The adapter does not say when its reader is there.
  await pause(1000);
  while (strike.warm !== false && arrived.size === 0) {
    await sender.send({ index: -1, sentAtUs: monotonicUs() }).catch(() => {});
    await pause(50);
  }
  const begun = strike.warm === false ? strike.run(stage, subject) : Promise.resolve();
  const { acknowledged, stop } = load(sender);
  if (strike.warm !== false) {
    await pause(500);
    await strike.run(stage, subject);
  }
  await begun;
  await pause(1000);
  await stop();
  // More than a check interval of ours, so that whoever looks has looked.
  await pause(6000);
  await Promise.all([receiver.close(), sender.close()]);
  const missing = [...acknowledged].filter(([index]) => !arrived.has(index));
  const silent = missing.filter(([, sentAt]) => sentAt > lastGapAt).length;
  return { silent, reported: missing.length - silent };
}

async function openStage(): Promise<Stage> {
  const server = await startRedis();
  return { server, proxy: await createFaultProxy({ target: server }), sentinel: await startSentinel() };
}

const peers = await Promise.all(
  subjects
    .filter(({ name }) => !name.includes("auto-pipelined"))
    .map(async (subject) => ({ subject, stage: await openStage() })),
);
const silent: Record<string, Record<string, string>> = {};
const reported: Record<string, Record<string, number>> = {};
for (const strike of strikes) {
  const times = strike.onSentinel ? failovers : runs;
  // Each on servers of its own, at the same time: most of it is waiting.
  for (const { name, losses } of await Promise.all(
    peers.map(async ({ subject, stage }) => {
      const losses: Losses[] = [];
      for (let run = 0; run < times; run += 1) losses.push(await lossesOf(subject, strike, stage));
      return { name: subject.name, losses };
    }),
  )) {
    const sum = (of: (each: Losses) => number): number => losses.reduce((total, each) => total + of(each), 0);
    const lossy = losses.filter((each) => each.silent > 0).length;
    silent[strike.name] = {
      ...silent[strike.name],
      [name]: `${sum((each) => each.silent)} in ${lossy} of ${times} runs`,
    };
    reported[strike.name] = { ...reported[strike.name], [name]: sum((each) => each.reported) };
  }
}
for (const { stage } of peers) {
  await stage.proxy.stop();
  await stage.server.stop();
  await stage.sentinel.stop();
}
console.log(`events that were acknowledged and lost in silence; ${rate} events/s`);
console.table(silent);
console.log("events that were acknowledged, lost, and reported by a gap");
console.table(reported);
