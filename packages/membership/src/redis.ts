import { type Random, randomId, systemRandom } from "@parallax/core";
import {
  createKeySpace,
  eventLogKeys,
  type KeySpace,
  openConnections,
  type RedisReply,
  type RedisSource,
  type Script,
} from "@parallax/redis";
import {
  endReason,
  list,
  logEntryOf,
  number,
  processOf,
  transitionOf,
  viewOfReply,
} from "./redis-replies.ts";
import { type MembershipScripts, membershipScripts } from "./redis-scripts.ts";
import type { BeatOutcome, JoinOutcome, MembershipStore, SweepOutcome, SweepRequest } from "./store.ts";
import { sweepLimits } from "./sweep.ts";

/** Options of {@link redisMembershipStore}. */
export interface RedisMembershipStoreOptions {
  /** Default: the prefix `parallax:`. */
  readonly keySpace?: KeySpace;
  /** A topic of the event bus to which every transition goes, in the step that makes it. Default: none. */
  readonly eventTopic?: string;
  /** Replicas that must acknowledge what ends an incarnation before it counts as known. Default 0. */
  readonly replicas?: number;
  readonly random?: Random;
}

/**
 * The members on Redis, all under one slot. `source` is a client of ioredis, which serves as a template and is never used
 * itself, or the connections of a node. A client's connections are closed with the store, those of a node are not.
 */
export function redisMembershipStore(
  source: RedisSource,
  options: RedisMembershipStoreOptions = {},
): MembershipStore {
  return storeWith(source, membershipScripts(), options);
}

/** @internal The store on other scripts, for comparing them with the functions. */
export function storeWith(
  source: RedisSource,
  scripts: MembershipScripts,
  options: RedisMembershipStoreOptions,
): MembershipStore {
  const { random = systemRandom, eventTopic, replicas = 0 } = options;
  const connections = openConnections(source);
  const keySpace = options.keySpace ?? createKeySpace({ cluster: connections.mode === "cluster" });
  const hints = keySpace.channel("ha:view");
  const topic = eventLogKeys(keySpace, eventTopic ?? "cluster", "coordination");
  const names = ["members", "reports", "beats", "view", "view:log", "ended", "ended:why"];
  const keys = [...names.map((name) => keySpace.coordination(`ha:${name}`)), topic.meta, topic.log];

  async function call(
    script: Script,
    args: readonly (string | number)[],
    { deadlineMs }: { readonly deadlineMs: number },
  ): Promise<RedisReply> {
    const common = [randomId("", random), randomId("", random), hints, eventTopic ?? "", topic.channel];
    const bounds = script.readOnly ? { deadlineMs } : { deadlineMs, replicas };
    return (await connections.lease.run(script, keys, [...common, ...args], bounds)).reply;
  }

  return {
    async join({ nodeId, incarnation, address, zone = "", report }, bounds): Promise<JoinOutcome> {
      const args = [nodeId, incarnation, address, zone, JSON.stringify(report)];
      const [outcome, time, reply, replaced] = list(await call(scripts.join, args, bounds));
      const view = viewOfReply(reply, number(time));
      return outcome === "ended"
        ? { outcome, view }
        : { outcome: "joined", view, replaced: processOf(replaced) };
    },
    async beat({ nodeId, incarnation, report, memberEpoch = "", known }, bounds): Promise<BeatOutcome> {
      const seen = [memberEpoch, known?.epoch ?? "", known?.version ?? 0];
      const args = [nodeId, incarnation, JSON.stringify(report), ...seen];
      return beatOutcome(await call(scripts.beat, args, bounds));
    },
    async sweep(request, bounds): Promise<SweepOutcome> {
      return sweepOutcome(await call(scripts.sweep, sweepArguments(request), bounds));
    },
    async drain({ nodeId, incarnation = "" }, bounds) {
      const [time, view] = list(await call(scripts.drain, [nodeId, incarnation], bounds));
      return viewOfReply(view, number(time));
    },
    async leave({ nodeId, incarnation }, bounds) {
      await call(scripts.leave, [nodeId, incarnation], bounds);
    },
    async read(bounds) {
      const [time, view] = list(await call(scripts.read, [], bounds));
      return viewOfReply(view, number(time));
    },
    async history({ epoch, version }, bounds) {
      const reply = await call(scripts.history, [epoch, version], bounds);
      if (reply === null) return undefined;
      const [top, entries] = list(reply);
      const events = list(entries).map((entry) => logEntryOf(entry, epoch));
      // M4: what is no longer kept makes a hole, and a hole is not told as a history.
      return events.length === number(top) - version ? events : undefined;
    },
    async hasEnded(incarnation, bounds) {
      return (await call(scripts.hasEnded, [incarnation], bounds)) === 1;
    },
    async declareEnded(incarnation, bounds) {
      return (await call(scripts.declareEnded, [incarnation], bounds)) === 1;
    },
    subscribe: (onHint) => connections.subscriber.listen([hints], onHint, onHint),
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

function beatOutcome(reply: RedisReply): BeatOutcome {
  const [outcome, time, rest, by] = list(reply);
  const storeTimeMs = number(time);
  switch (outcome) {
    case "ok":
      return { outcome, storeTimeMs, view: rest === null ? undefined : viewOfReply(rest, storeTimeMs) };
    case "rejoin":
      return { outcome, storeTimeMs };
    default:
      return { outcome: "ended", storeTimeMs, reason: endReason(rest), by: processOf(by) };
  }
}

function sweepArguments(request: SweepRequest): readonly number[] {
  const { suspectAfterMs, failAfterMs, doomedAfterMs, watchedGapMs, longGapMs, returnAgeMs } =
    sweepLimits(request);
  const { notBeforeMs, notAfterMs } = request.believed;
  const limits = [suspectAfterMs, failAfterMs, doomedAfterMs, watchedGapMs, longGapMs, returnAgeMs];
  return [...limits, request.removeAfterMs, notBeforeMs, notAfterMs];
}

function sweepOutcome(reply: RedisReply): SweepOutcome {
  const [swept, time, viewReply, shift, wait, ...transitions] = list(reply);
  const view = viewOfReply(viewReply, number(time));
  const nextInMs = number(wait);
  return {
    swept: swept === 1,
    view,
    shiftedMs: number(shift),
    nextInMs: nextInMs < 0 ? undefined : nextInMs,
    events: transitions.map((each) => transitionOf(each, view.epoch)),
  };
}
