import { ParallaxError, type Random } from "@parallax/core";
import type { NodeClock } from "@parallax/testing";
import type { LeaseStore } from "../../src/index.ts";

/** What is wrong with one node's link, until when. */
export interface Link {
  lossyUntilMs: number;
  doublingUntilMs: number;
  slowUntilMs: number;
  /** Requests arrive, answers do not. */
  deafUntilMs: number;
  /** Requests do not arrive. */
  muteUntilMs: number;
  hintlessUntilMs: number;
}

export const goodLink = (): Link => ({
  lossyUntilMs: 0,
  doublingUntilMs: 0,
  slowUntilMs: 0,
  deafUntilMs: 0,
  muteUntilMs: 0,
  hintlessUntilMs: 0,
});

export interface NetworkOptions {
  readonly link: Link;
  /** True time: the network goes on while a process is paused. */
  readonly network: NodeClock;
  /** The process that hears the answers, or does not. */
  readonly process: NodeClock;
  readonly random: Random;
  readonly isStoreAway: () => boolean;
  readonly slowMs: number;
  readonly nowMs: () => number;
}

/** A store behind a network that loses, doubles, delays, and reaches one way only. */
export function overNetwork(inner: LeaseStore, options: NetworkOptions): LeaseStore {
  const { link, network, process, random, isStoreAway, slowMs, nowMs } = options;
  const chance = (probability: number): boolean => random.next() < probability;
  const travelMs = (): number => (nowMs() < link.slowUntilMs ? random.next() * slowMs : 0.2 + random.next());

  function call<Result>(name: string, send: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      /** Some losses are noticed, by a reset, others never. */
      const lose = (): void => {
        if (chance(0.5))
          process.after(travelMs(), () => reject(new ParallaxError("timeout", `${name} was lost`)));
      };
      const request = async (): Promise<void> => {
        if (isStoreAway() || nowMs() < link.muteUntilMs) return lose();
        if (nowMs() < link.lossyUntilMs && chance(0.4)) return lose();
        const result = await send();
        if (nowMs() < link.deafUntilMs) return lose();
        if (nowMs() < link.lossyUntilMs && chance(0.4)) return lose();
        network.after(travelMs(), () => process.after(0, () => resolve(result)));
      };
      network.after(travelMs(), () => void request());
      if (nowMs() < link.doublingUntilMs && chance(0.5)) {
        // The copy may come long after its caller gave up.
        network.after(travelMs() + random.next() * 2 * slowMs, () => {
          if (!isStoreAway()) void send();
        });
      }
    });
  }

  return {
    read: () => call("read", () => inner.read()),
    acquire: (request, bounds) => call("acquire", () => inner.acquire(request, bounds)),
    renew: (request, bounds) => call("renew", () => inner.renew(request, bounds)),
    markLoss: (request) => call("markLoss", () => inner.markLoss(request)),
    release: (request, bounds) => call("release", () => inner.release(request, bounds)),
    depose: (by, bounds) => call("depose", () => inner.depose(by, bounds)),
    challenge: (request) => call("challenge", () => inner.challenge(request)),
    subscribe: (onHint) =>
      inner.subscribe(() => {
        const isLost = nowMs() < link.hintlessUntilMs || (nowMs() < link.lossyUntilMs && chance(0.4));
        if (!isLost && !isStoreAway()) network.after(travelMs(), () => process.after(0, onHint));
      }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
