import { createBackoff, isParallaxError, ParallaxError, randomId } from "@parallax/core";
import type { MemberReport, MembershipEvent } from "./membership.ts";
import { identity, type Node, observe, observeView } from "./node.ts";
import { emptyReport, maxReportBytes } from "./options.ts";
import { createPulse } from "./pulse.ts";

/** The loop that joins and beats. */
export interface Beating {
  /** Joins and beats until `signal` aborts. @throws ParallaxError `replaced` */
  run(signal: AbortSignal): Promise<void>;
  /** Beats at once; settles with the outcome of that beat. */
  now(): Promise<void>;
  /** Beats at once, for whoever does not wait for the outcome. */
  hurry(): void;
  /** Rejects whoever still waits for a beat. */
  stop(reason: ParallaxError): void;
}

/** `again`: not a member, so join. `withheld`: this node does not vouch for itself (M7). */
type Attempt = "acknowledged" | "again" | "withheld";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

export function createBeating(node: Node, onJoined: () => void): Beating {
  const { clock, random, checkIntervalMs, store, onError } = node.settings;
  const pulse = createPulse(clock);
  const pace = createPulse(clock);
  let waiters: Waiter[] = [];
  let lastReport: MemberReport = emptyReport;

  function report(): MemberReport {
    try {
      const fresh = node.settings.report();
      const sizeBytes = Buffer.byteLength(JSON.stringify(fresh));
      if (sizeBytes > maxReportBytes) throw tooLarge(sizeBytes);
      lastReport = fresh;
    } catch (error) {
      // A beat with an old report is better than none.
      onError(error);
    }
    return lastReport;
  }

  async function joinOnce(signal: AbortSignal): Promise<Attempt> {
    const { address, zone } = node.settings;
    const mark = clock.mark();
    const joining = { ...identity(node), address, zone, report: report() };
    const answer = await observe(
      node,
      "joining the cluster",
      (bounds) => store.join(joining, bounds),
      signal,
    );
    if (answer.outcome === "ended") return end("removed", undefined);
    node.isMember = true;
    node.memberEpoch = answer.view.epoch;
    node.acknowledgement.confirm(mark);
    if (answer.replaced)
      node.settings.logger.warn("took over from a process of the same id", answer.replaced);
    onJoined();
    if (node.isDraining) await announceDrain(node, signal);
    return "acknowledged";
  }

  async function beatOnce(signal: AbortSignal): Promise<Attempt> {
    const mark = clock.mark();
    const { memberEpoch, feed } = node;
    const beating = { ...identity(node), report: report(), memberEpoch, known: feed.current };
    const answer = await observe(node, "beating", (bounds) => store.beat(beating, bounds), signal);
    if (answer.outcome === "ok") {
      node.memberEpoch = answer.view?.epoch ?? beating.known?.epoch;
      node.acknowledgement.confirm(mark);
      return "acknowledged";
    }
    node.isMember = false;
    return answer.outcome === "rejoin" ? "again" : end(answer.reason, answer.by);
  }

  /** M6: what this incarnation owned is no longer its own. */
  function end(
    reason: EndedEvent["reason"],
    by: { incarnation: string; address: string } | undefined,
  ): Attempt {
    const { incarnation } = node;
    node.isMember = false;
    node.emit({ type: "ended", incarnation, reason, by: by?.incarnation });
    // Joining anew over a living process of our id would make the two end each other for ever.
    if (reason === "replaced" && by) throw replaced(node, by.address);
    node.incarnation = randomId("inc_", random);
    node.memberEpoch = undefined;
    return "again";
  }

  async function attempt(signal: AbortSignal): Promise<Attempt> {
    node.vouches = node.settings.vouch();
    if (!node.vouches) return "withheld";
    return node.isMember ? await beatOnce(signal) : await joinOnce(signal);
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ initialMs: checkIntervalMs / 10, maxMs: checkIntervalMs / 5, random });
    let isFirst = true;
    while (!signal.aborted) {
      const startedMs = clock.now();
      const served = waiters;
      waiters = [];
      let waitMs: number;
      try {
        const result = await attempt(signal);
        if (result === "acknowledged") {
          for (const waiter of served) waiter.resolve();
          backoff.reset();
          // Nodes that were started together do not beat together.
          waitMs = isFirst ? random.next() * checkIntervalMs : checkIntervalMs - (clock.now() - startedMs);
          isFirst = false;
        } else if (result === "again") {
          waiters.unshift(...served);
          waitMs = backoff.next();
        } else {
          for (const waiter of served) waiter.reject(withheld());
          waitMs = checkIntervalMs / 5;
        }
      } catch (error) {
        for (const waiter of served) waiter.reject(error);
        if (isParallaxError(error, "replaced")) throw error;
        if (signal.aborted) return;
        onError(error);
        waitMs = backoff.next();
      }
      node.trust.late((await pulse.wait(waitMs, signal)).lateMs);
      // However often a beat is asked for, beats keep a distance.
      await pace.wait(startedMs + checkIntervalMs / 50 - clock.now(), signal);
    }
  }

  return {
    run,
    now() {
      return new Promise<void>((resolve, reject) => {
        waiters.push({ resolve, reject });
        pulse.pulse();
      });
    },
    hurry: () => pulse.pulse(),
    stop(reason) {
      for (const waiter of waiters.splice(0)) waiter.reject(reason);
    },
  };
}

type EndedEvent = Extract<MembershipEvent, { readonly type: "ended" }>;

/** Tells the store that this node drains. */
export async function announceDrain(node: Node, signal?: AbortSignal): Promise<void> {
  const { store } = node.settings;
  await observeView(node, "announcing the drain", (bounds) => store.drain(identity(node), bounds), signal);
}

function replaced(node: Node, byAddress: string): ParallaxError<"replaced"> {
  const { nodeId, address } = node.settings;
  const message =
    `beating as ${nodeId} from ${address}: a newer process with this id has joined from ${byAddress}; ` +
    "give each process an id of its own";
  return new ParallaxError("replaced", message, { details: { nodeId, address, byAddress } });
}

function withheld(): ParallaxError<"beat_withheld"> {
  const message = "beating: this node does not vouch for itself; see which of its connections does not work";
  return new ParallaxError("beat_withheld", message);
}

function tooLarge(sizeBytes: number): ParallaxError<"report_too_large"> {
  const message = `beating: the report has ${sizeBytes} bytes as JSON, more than ${maxReportBytes}, so the one before is sent; report less`;
  return new ParallaxError("report_too_large", message, { details: { sizeBytes, maxReportBytes } });
}
