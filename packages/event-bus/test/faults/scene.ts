import { errorMessage, isParallaxError, type Random } from "@parallax/core";
import { createConnections, createKeySpace, type KeySpace, type RedisOptions } from "@parallax/redis";
import { eventually } from "@parallax/testing";
import { openRedisBus, type RedisBus, witness } from "../support/redis-bus.ts";

export const topic = "execution";

/** Two nodes on one Redis, and chance for whoever breaks something. */
export interface Scene {
  readonly keySpace: KeySpace;
  readonly random: Random;
  readonly publisher: RedisBus;
  readonly subscriber: RedisBus;
}

/** One kind of fault. */
export interface Fault<Servers> {
  readonly name: string;
  /** The gaps that may be reported, and no others. */
  readonly gaps: readonly string[];
  /** What Redis may refuse with a reason that stays: callers get its words, as `redis_reply`. */
  readonly refusal?: RegExp;
  /** The longest pause between two bursts of events, in milliseconds. Default 20. */
  readonly paceMs?: number;
  /** Breaks something while events are published. Resolves once all is well again. */
  strike(scene: Scene, servers: Servers): Promise<unknown>;
}

/** Servers, and what can be done to them. */
export interface StageOptions<Servers> {
  /** How many of it can be played at the same time, each on servers of its own. */
  readonly lanes: number;
  readonly faults: readonly Fault<Servers>[];
  start(): Promise<Servers>;
  /** Where each node finds Redis. */
  where(servers: Servers): { readonly publisher: RedisOptions; readonly subscriber: RedisOptions };
  stop(servers: Servers): Promise<void>;
}

/** What came of one run. */
export interface Outcome {
  /** What is not accounted for, in words: E1 wants nothing here. */
  readonly discrepancies: readonly string[];
  /** Errors that nobody should get to see, such as a raw redirection, and gaps for another reason than the fault's. */
  readonly surprises: readonly string[];
  /** Appends that are known to have worked. */
  readonly acknowledged: number;
  /** Publishes that ended with an error that says what to do. */
  readonly refused: number;
  readonly delivered: number;
  readonly gaps: readonly string[];
}

export interface Stage {
  readonly lanes: number;
  readonly faults: readonly { readonly name: string }[];
  open(): Promise<OpenStage>;
}

export interface OpenStage {
  /** Plays the fault of this name once. */
  play(name: string, prefix: string, random: Random): Promise<Outcome>;
  close(): Promise<void>;
}

/** So many that nothing is trimmed but by the fault that trims. */
const maxEntries = 1_000_000;

/** How many publishes may wait for an answer. */
const maxInFlight = 500;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function defineStage<Servers>(options: StageOptions<Servers>): Stage {
  const { lanes, faults, start, where, stop } = options;
  return {
    lanes,
    faults,
    async open() {
      const servers = await start();
      const places = where(servers);
      return {
        async play(name, prefix, random) {
          const fault = faults.find((candidate) => candidate.name === name);
          if (!fault) throw new Error(`there is no fault ${name}`);
          return play(fault, servers, places, prefix, random);
        },
        close: () => stop(servers),
      };
    },
  };
}

async function play<Servers>(
  fault: Fault<Servers>,
  servers: Servers,
  places: { readonly publisher: RedisOptions; readonly subscriber: RedisOptions },
  prefix: string,
  random: Random,
): Promise<Outcome> {
  const keySpace = createKeySpace({ prefix, cluster: places.publisher.cluster !== undefined });
  const errors: unknown[] = [];
  const open = (place: RedisOptions): RedisBus => {
    const onBusError = (error: unknown): void => void errors.push(error);
    return openRedisBus({ connections: createConnections(place), keySpace, maxEntries, onBusError });
  };
  const scene = { keySpace, random, publisher: open(places.publisher), subscriber: open(places.subscriber) };
  try {
    const seen = await witness(scene.subscriber, topic);
    const { acknowledged, refusals } = await publishThrough(scene, fault, servers);
    const discrepancies = (await seen.discrepancies(scene.publisher.log)).slice(0, 20);
    const gaps = seen.items.flatMap((item) => (item.type === "gap" ? [item.reason] : []));
    const surprises = [
      ...[...errors, ...refusals].filter((error) => !isExpected(error, fault.refusal)).map(errorMessage),
      ...gaps.filter((reason) => !fault.gaps.includes(reason)).map((reason) => `a gap: ${reason}`),
    ];
    const delivered = seen.items.length - gaps.length;
    return { discrepancies, surprises, acknowledged, refused: refusals.length, delivered, gaps };
  } finally {
    await scene.publisher.bus.close();
    await scene.subscriber.bus.close();
  }
}

/** The outcome is unknown, nothing was sent, or too much waits; never what Redis says to a client that went astray. */
function isExpected(error: unknown, refusal: RegExp | undefined): boolean {
  if (["timeout", "redis_unavailable", "overloaded"].some((code) => isParallaxError(error, code)))
    return true;
  return isParallaxError(error, "redis_reply") && refusal?.test(error.message) === true;
}

/** Publishes to all partitions without a break from before the fault until after it. */
async function publishThrough<Servers>(
  scene: Scene,
  fault: Fault<Servers>,
  servers: Servers,
): Promise<{ readonly acknowledged: number; readonly refusals: readonly unknown[] }> {
  const { publisher, random, keySpace } = scene;
  const refusals: unknown[] = [];
  const inFlight = new Set<Promise<void>>();
  let acknowledged = 0;
  let over = false;
  async function publish(index: number): Promise<void> {
    const key = `exec_${Math.floor(random.next() * 1000)}`;
    try {
      await publisher.bus.publish(topic, { type: "step", index }, { key });
      acknowledged += 1;
    } catch (error) {
      refusals.push(error);
    }
  }
  async function publishAll(): Promise<void> {
    for (let index = 0; !over; ) {
      // What waits for a partition that is away does not stop the others.
      const last = inFlight.size < maxInFlight ? index + 1 + Math.floor(random.next() * 20) : index;
      for (; index < last; index += 1) {
        const published = publish(index).finally(() => inFlight.delete(published));
        inFlight.add(published);
      }
      await pause(random.next() * (fault.paceMs ?? 20));
    }
    await Promise.all(inFlight);
  }
  const publishing = publishAll();
  await pause(random.next() * 300);
  try {
    await fault.strike(scene, servers);
    await pause(random.next() * 300);
    // It works again: what is published from here on has to arrive.
    for (let partition = 0; partition < keySpace.partitions; partition += 1)
      await eventually(() => publisher.log.append(topic, partition, [lastEvent(random)]).then(() => true), {
        timeoutMs: 40_000,
      });
  } finally {
    over = true;
    await publishing;
  }
  return { acknowledged, refusals };
}

function lastEvent(random: Random): { tag: string; json: string } {
  return { tag: `end${Math.floor(random.next() * 1e12)}`, json: '{"type":"end"}' };
}
