import { type Clock, ParallaxError, type Random } from "@parallax/core";
import type { NodeClock } from "@parallax/testing";

/** The way of one process to the store, which may be impaired. */
export interface Wire {
  state: "up" | "cut" | "answers lost" | "dead";
  /** How long a call, and its answer, may each take at most, in ms. What takes too long still arrives. */
  slowMs: number;
  /** What comes late, long after its caller has given it up: half of all calls, or every write. */
  late: "nothing" | "half" | "writes";
}

/** What lies between the nodes of a cluster and their store. */
export interface Network {
  /** What is on its way goes on, whatever becomes of who has sent it. */
  readonly clock: Clock;
  readonly random: Random;
  /** After how long a message between nodes, or a hint, arrives: undefined if it is lost. */
  messageDelayMs(): number | undefined;
  /** Counts fail-overs of the store: what was on its way to the server of before does not reach the next one. */
  readonly lineage: number;
}

/** One process, as whoever sends something to it sees it. */
export interface Host {
  readonly clock: NodeClock;
  readonly wires: readonly Wire[];
  readonly network: Network;
}

/** How long a call waits for its answer, in ms. */
const timeoutMs = 250;
/** How late a call comes at most that comes late, in ms. */
const latestMs = 4000;

/** What is told from outside, by callbacks. The first of them hears what may be lost; a second, that the channel is up. */
const told = new Set<string>(["subscribe", "listen", "receive"]);

/** Whatever these say, they say at once. */
const local = new Set<string>(["recycle", "partitions", "partitionOf", "keyOf"]);

function isDead({ wires }: Host): boolean {
  for (const { state } of wires) if (state === "dead") return true;
  return false;
}

function isCut({ wires }: Host): boolean {
  for (const { state } of wires) if (state === "cut") return true;
  return false;
}

function slownessOf({ wires }: Host): number {
  let mostMs = 0;
  for (const { slowMs } of wires) if (slowMs > mostMs) mostMs = slowMs;
  return mostMs;
}

function isLate({ wires, network }: Host, call: string): boolean {
  for (const { late } of wires) {
    if (late === "writes" && call === "mutate") return true;
    if (late === "half" && network.random.next() < 0.5) return true;
  }
  return false;
}

/** Runs `act` in the process: not while it stands still, and not after its end. */
export function reach(host: Host, act: () => void): void {
  if (isDead(host)) return;
  if (host.clock.isStalled) host.clock.after(0, act);
  else act();
}

/** Brings a hint or a message to the process, if it gets there. */
function bring(host: Host, act: () => void): void {
  if (isDead(host) || isCut(host)) return;
  const delayMs = host.network.messageDelayMs();
  if (delayMs === undefined) return;
  if (delayMs === 0) reach(host, act);
  else host.network.clock.after(delayMs, () => reach(host, act));
}

/** The same backend behind the wires of a process: each call arrives or does not, and its answer comes or does not. */
export function behind<Backend extends object>(backend: Backend, host: Host): Backend {
  const { wires, clock, network } = host;
  const never = new Promise<never>(() => {});

  async function carry(call: string, run: () => Promise<unknown>): Promise<unknown> {
    if (isDead(host)) return never;
    if (isCut(host)) return unanswered();
    if (isLate(host, call)) {
      void muchLater(run).catch(() => {});
      return unanswered();
    }
    const slowMs = slownessOf(host);
    if (slowMs > 0) return Promise.race([slowly(run, slowMs), unanswered()]);
    return answered(await run());
  }

  function answered(result: unknown): unknown {
    if (isDead(host)) return never;
    return wires.some(({ state }) => state !== "up") ? unanswered() : result;
  }

  async function slowly(run: () => Promise<unknown>, slowMs: number): Promise<unknown> {
    await network.clock.sleep(network.random.next() * slowMs);
    const result = await run();
    await network.clock.sleep(network.random.next() * slowMs);
    // Nobody reads it before the process goes on.
    if (clock.isStalled) await clock.sleep(0);
    return answered(result);
  }

  /** With the others that are held up, in no order. */
  async function muchLater(run: () => Promise<unknown>): Promise<void> {
    const { lineage } = network;
    await network.clock.sleep(timeoutMs + network.random.next() * latestMs);
    while (wires.some(({ late }) => late === "writes")) await network.clock.sleep(timeoutMs);
    if (network.lineage === lineage) await run();
  }

  async function unanswered(): Promise<never> {
    await clock.sleep(timeoutMs);
    throw new ParallaxError("timeout", "the store did not answer");
  }

  /** The callbacks among the arguments are called from outside. */
  function fromOutside(args: readonly unknown[]): unknown[] {
    let way = bring;
    return args.map((arg) => {
      if (typeof arg !== "function") return arg;
      const brought = way;
      way = reach;
      return (...heard: unknown[]) => brought(host, () => Reflect.apply(arg, undefined, heard));
    });
  }

  function memberOf(name: string, member: (...args: unknown[]) => unknown): unknown {
    if (told.has(name)) return (...args: unknown[]) => Reflect.apply(member, backend, fromOutside(args));
    return (...args: unknown[]) => carry(name, async () => member(...args));
  }

  const members = new Map<string | symbol, unknown>();
  return new Proxy(backend, {
    get(target, name) {
      if (members.has(name)) return members.get(name);
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function" || typeof name === "symbol" || local.has(name)) return member;
      const wired = memberOf(name, (...args) => Reflect.apply(member, target, args));
      members.set(name, wired);
      return wired;
    },
  });
}
