import { createDeferred, createListeners, onAbort, ParallaxError, randomId, runGroup } from "@parallax/core";
import { createAcknowledgement } from "./acknowledgement.ts";
import { announceDrain, createBeating } from "./beating.ts";
import type { Membership, MembershipEvent, MembershipOptions, View } from "./membership.ts";
import { identity, type Node, observeView, request } from "./node.ts";
import { type Settings, settle } from "./options.ts";
import { sweepLimits } from "./sweep.ts";
import { runSweeps } from "./sweeping.ts";
import { maxEnded } from "./table.ts";
import { createTrust } from "./trust.ts";
import { createViewFeed } from "./view-feed.ts";

/**
 * M3: half an interval before others may fail this node, so that it has let go by then: what is left has to cover the way
 * of the request and clocks that run at different rates.
 */
export function cutOffAfterMs(settings: Pick<Settings, "checkIntervalMs" | "unhealthyThreshold">): number {
  return sweepLimits(settings).failAfterMs - settings.checkIntervalMs / 2;
}

/** What somebody has to know of who reads warnings only. */
const troubles: ReadonlySet<MembershipEvent["type"]> = new Set(["cut-off", "ended", "failed", "reset"]);

/**
 * Makes a node's place in the cluster; `run` takes it.
 *
 * @throws ParallaxError `invalid_options`
 * @example
 * const membership = createMembership({ store: memoryMembershipStore(space), nodeId: "node-0", address: "10.0.0.1:8080" });
 * const running = membership.run({ signal });
 * await membership.joined();
 */
export function createMembership(options: MembershipOptions): Membership {
  const settings = settle(options);
  const { store, nodeId, clock, random, logger, onError, timeoutMs } = settings;
  const listeners = createListeners<MembershipEvent>(onError);
  const endedHere = new Set<string>();
  let isRunning = false;
  let hasRun = false;
  let joinedOnce = createDeferred<void>();

  const node: Node = {
    settings,
    feed: createViewFeed({ store, timeoutMs, onView, emit, onError }),
    trust: createTrust(settings.checkIntervalMs),
    acknowledgement: createAcknowledgement({
      clock,
      cutOffAfterMs: cutOffAfterMs(settings),
      onChange: (type) => emit({ type }),
    }),
    emit,
    incarnation: options.incarnation ?? randomId("inc_", random),
    isMember: false,
    memberEpoch: undefined,
    vouches: true,
    isDraining: false,
  };
  const beating = createBeating(node, () => joinedOnce.resolve());

  function onView(view: View): void {
    const own = view.members.find(({ id }) => id === nodeId);
    if (own?.incarnation === node.incarnation && own.status === "draining") node.isDraining = true;
    // Our beat will learn whether our incarnation has ended, and how.
    if (node.isMember && (own?.incarnation !== node.incarnation || own.status === "failed")) beating.hurry();
  }

  function emit(event: MembershipEvent): void {
    logger[troubles.has(event.type) ? "warn" : "info"](`membership: ${event.type}`, event);
    if ("incarnation" in event && ends.has(event.type)) rememberEnded(event.incarnation);
    listeners.emit(event);
  }

  function rememberEnded(incarnation: string): void {
    endedHere.add(incarnation);
    const [oldest] = endedHere;
    if (endedHere.size > maxEnded && oldest !== undefined) endedHere.delete(oldest);
  }

  async function refresh(): Promise<View> {
    const view = await observeView(node, "reading the view", (bounds) => store.read(bounds));
    return node.feed.current ?? view;
  }

  /** One look at a time; a hint during a look means one more. */
  function lookOnHint(): () => void {
    let looking: Promise<unknown> | undefined;
    let again = false;
    return function look() {
      again = looking !== undefined;
      if (looking || !isRunning) return;
      looking = refresh()
        .catch(onError)
        .finally(() => {
          looking = undefined;
          if (again) look();
        });
    };
  }

  async function leave(): Promise<void> {
    try {
      await request(node, "leaving the cluster", (bounds) => store.leave(identity(node), bounds));
    } catch (error) {
      onError(error);
    }
  }

  async function run({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (isRunning) throw new ParallaxError("already_running", "running a membership: it runs; run it once");
    // An incarnation that left does not come back (M6).
    if (hasRun) node.incarnation = randomId("inc_", random);
    isRunning = hasRun = true;
    const unsubscribe = store.subscribe(lookOnHint());
    const stopping = new AbortController();
    const forget = onAbort(signal, () => stopping.abort());
    try {
      const parts = [
        { name: "beats", run: (stop: AbortSignal) => beating.run(stop) },
        { name: "sweeps", run: (stop: AbortSignal) => runSweeps(node, stop) },
      ];
      await runGroup(parts, stopping.signal);
      await leave();
    } finally {
      isRunning = false;
      node.isMember = false;
      forget();
      unsubscribe();
      node.acknowledgement.stop();
      const reason = notRunning();
      beating.stop(reason);
      joinedOnce.reject(reason);
      joinedOnce = createDeferred<void>();
    }
  }

  return {
    nodeId,
    get incarnation() {
      return node.incarnation;
    },
    run,
    joined: () => joinedOnce.promise,
    view: () => node.feed.current,
    refresh,
    async hasEnded(incarnation) {
      if (endedHere.has(incarnation)) return true;
      const has = await request(node, "asking for an end", (bounds) => store.hasEnded(incarnation, bounds));
      if (has) rememberEnded(incarnation);
      return has;
    },
    declareEnded(incarnation) {
      return request(node, "declaring an end", (bounds) => store.declareEnded(incarnation, bounds));
    },
    beat: () => (isRunning ? beating.now() : Promise.reject(notRunning())),
    async drain(id = nodeId) {
      if (id === nodeId) {
        node.isDraining = true;
        if (node.isMember) await announceDrain(node);
        return;
      }
      const view = await observeView(node, `draining ${id}`, (bounds) => store.drain({ nodeId: id }, bounds));
      if (!view.members.some((member) => member.id === id && member.status !== "failed"))
        throw unknownMember(id);
    },
    subscribe: (listener) => listeners.subscribe(listener),
    unacknowledgedMs: () => node.acknowledgement.elapsedMs(),
  };
}

const ends: ReadonlySet<MembershipEvent["type"]> = new Set([
  "failed",
  "left",
  "removed",
  "replaced",
  "ended",
]);

function notRunning(): ParallaxError<"not_running"> {
  return new ParallaxError(
    "not_running",
    "using a membership that does not run: call run, and keep it running",
  );
}

function unknownMember(id: string): ParallaxError<"unknown_member"> {
  const message = `draining ${id}: there is no such member; look at the view for the ids`;
  return new ParallaxError("unknown_member", message, { details: { id } });
}
