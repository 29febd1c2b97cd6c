import { type TimeMark, withDeadline } from "@parallax/core";
import {
  type CandidateState,
  type CandidateStep,
  newCandidate,
  nextCandidateStep,
  observe,
  shouldChallenge,
} from "./candidate.ts";
import type { ElectionSettings } from "./options.ts";
import type { Grant } from "./reign.ts";
import type { CallBounds, LeaseReading } from "./store.ts";
import type { Wake } from "./wake.ts";

/** What a campaign shares with the rest of its election. */
export interface CampaignContext {
  readonly settings: ElectionSettings;
  readonly wake: Wake;
  readonly isStopped: () => boolean;
  readonly onReading: (reading: LeaseReading) => void;
  readonly onError: (error: unknown) => void;
  /** From the previous holder's end, as far as it was seen, to our grant. */
  readonly onHandover: (handoverMs: number | undefined) => void;
}

/** The way to the next grant. It remembers what it saw from one campaign to the next. */
export interface Campaign {
  /** Waits for its turn and takes the lease. Undefined once stopped. Never rejects for what the store does. */
  run(): Promise<Grant | undefined>;
  /** Takes in what a holder's call showed, so that the next campaign knows the store. */
  see(reading: LeaseReading, sentAt: TimeMark): void;
  /** Keeps this node from taking the lease for a while. */
  coolDown(ms: number): void;
  /** The next term must be above it. */
  raise(fence: number): void;
}

/** L6: this much at most spreads the candidates that wake together. */
const jitterMs = 20;

/** Makes the campaign of one node. */
export function createCampaign(context: CampaignContext): Campaign {
  const { settings, wake, isStopped } = context;
  const { store, clock, random, nodeId, incarnation, callTimeoutMs: timeoutMs } = settings;
  let state: CandidateState = newCandidate;
  let aboveTerm = 0;
  let cooling: { readonly since: TimeMark; readonly ms: number } | undefined;

  const coolingMs = (): number => (cooling ? cooling.ms - clock.elapsedAtLeast(cooling.since) : 0);

  const see = (reading: LeaseReading, sentAt: TimeMark): void => {
    state = observe(state, reading, clock.elapsedAtMost(sentAt), clock, settings);
    context.onReading(reading);
  };

  async function pause(ms: number): Promise<void> {
    // A candidate never sleeps longer than one lease (L2), and none in step with the others (L6).
    await wake.sleep(Math.min(ms, settings.leaseDurationMs) + random.next() * jitterMs);
    if (wake.takeHint() && !isStopped()) await wake.sleep(random.next() * jitterMs);
  }

  /** One call, and what it shows as of before it was sent (T1). */
  async function watched(what: string, call: (bounds: CallBounds) => Promise<LeaseReading>): Promise<void> {
    const sentAt = clock.mark();
    const sent = call({ deadlineMs: timeoutMs, replicas: 0 });
    see(await withDeadline(sent, { clock, timeoutMs, what }), sentAt);
  }

  const look = (): Promise<void> => watched("reading the lease", (bounds) => store.read(bounds));

  async function take(step: CandidateStep & { step: "take" }): Promise<Grant | undefined> {
    const { leaseDurationMs, priority, replicas } = settings;
    const { basis, expected, lineage } = step;
    const previous = state.latest?.reading.record;
    const above = Math.max(aboveTerm, state.highestTerm);
    const { termsGranted } = state;
    const request = {
      nodeId,
      incarnation,
      basis,
      expected,
      lineage,
      leaseDurationMs,
      aboveTerm: above,
      termsGranted,
      priority,
    };
    // T1: the mark is taken before sending.
    const sentAt = clock.mark();
    const sent = store.acquire(request, { deadlineMs: timeoutMs, replicas });
    const outcome = await withDeadline(sent, { clock, timeoutMs, what: "acquiring the lease" });
    see(outcome.reading, sentAt);
    if (outcome.outcome === "refused") return undefined;
    const { term, reading, replicas: acknowledged } = outcome;
    const isComparable = previous?.lineage === reading.lineage;
    context.onHandover(isComparable ? Math.max(0, reading.storeTimeMs - previous.expiresAtMs) : undefined);
    return { term, reading, replicas: acknowledged, sentAt };
  }

  function dropGhost(term: number): Promise<void> {
    const request = { nodeId, incarnation, term, reservedFor: undefined, reserveMs: 0 };
    const what = "releasing a lease that was granted unseen";
    return watched(what, (bounds) => store.release(request, bounds));
  }

  function markLoss(): Promise<void> {
    const { termsGranted } = state;
    return watched("marking the loss of the lease", (bounds) => store.markLoss({ termsGranted }, bounds));
  }

  async function challenge(since: TimeMark): Promise<void> {
    if (coolingMs() > 0 || !shouldChallenge(state, settings, clock.elapsedAtLeast(since))) return;
    const sent = store.challenge({ nodeId, priority: settings.priority }, { deadlineMs: timeoutMs });
    await withDeadline(sent, { clock, timeoutMs, what: "challenging the leader" });
  }

  /** One look and what follows from it. */
  async function turn(since: TimeMark): Promise<Grant | undefined> {
    await look();
    // A refusal shows the record that was in the way, and is a look as good as any.
    for (let refusals = 0; !isStopped() && refusals < 3; refusals += 1) {
      const step = nextCandidateStep(state, settings, clock);
      if (step.step === "look") {
        await challenge(since);
        await pause(step.afterMs);
        return undefined;
      }
      if (step.step === "drop-ghost") {
        await dropGhost(step.term);
      } else if (step.step === "mark-loss") {
        await markLoss();
      } else if (coolingMs() > 0) {
        await pause(coolingMs());
        return undefined;
      } else {
        const grant = await take(step);
        if (grant) return grant;
      }
    }
    await pause(0);
    return undefined;
  }

  return {
    async run() {
      const since = clock.mark();
      await pause(0);
      while (!isStopped()) {
        try {
          const grant = await turn(since);
          if (grant) return grant;
        } catch (error) {
          context.onError(error);
          await pause(settings.retryPeriodMs);
        }
      }
      return undefined;
    },
    see,
    coolDown(ms) {
      cooling = { since: clock.mark(), ms };
    },
    raise(fence) {
      aboveTerm = Math.max(aboveTerm, fence);
    },
  };
}
