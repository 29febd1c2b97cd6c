import { type Clock, isParallaxError, type Logger, ParallaxError, withDeadline } from "@parallax/core";
import type { Election, LeaderInfo } from "@parallax/leader-election";
import type { Member, Membership, View } from "@parallax/membership";
import type { DrainResult, HaMember, HaStatus, LeaderChange } from "@parallax/protocol";
import type { NodeMessage } from "./node-messages.ts";

export interface HighAvailabilityOptions {
  readonly logger: Logger;
  readonly nodeId: string;
  readonly clusterId: string;
  readonly enabled: boolean;
  readonly election: Election;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly leaseDurationMs: number;
  readonly drainTimeoutMs: number;
  readonly send: (nodeId: string, message: NodeMessage) => Promise<void>;
  /** Begins this node's own drain. */
  readonly drainSelf: () => void;
}

/** What an operator asks of the cluster, from any node. */
export interface HighAvailability {
  status(): Promise<HaStatus>;
  /** `asker` aborts when nobody waits for it any more. @throws ParallaxError `no_standby` (nothing has changed), `no_leader`, `election_timeout` */
  stepDown(asker?: AbortSignal): Promise<LeaderChange>;
  /** With `force` it deposes the holder, fenced. @throws ParallaxError `election_timeout` */
  elect(force: boolean, asker?: AbortSignal): Promise<LeaderChange>;
  /** @throws ParallaxError `member_not_found` */
  drain(node: string | undefined): Promise<DrainResult>;
  receive(message: NodeMessage): void;
}

/** Who leads, and in which term. */
type Leader = Pick<LeaderInfo, "nodeId" | "term">;

/** Somebody waits for the answer: with the store away they get the last view after this long, in ms. */
const viewTimeoutMs = 2000;

/** How soon it is known of a request that was there whether its connection is, too, in ms. */
const hangUpMs = 20;

/** How often the word to step down is repeated while the old leader leads. */
const repeatMs = 500;

export function createHighAvailability(options: HighAvailabilityOptions): HighAvailability {
  const { nodeId, clusterId, enabled, election, membership, clock, leaseDurationMs, drainTimeoutMs, send } =
    options;
  const { logger } = options;

  async function freshView(): Promise<View> {
    const cached = membership.view();
    try {
      return await withDeadline(membership.refresh(), {
        clock,
        timeoutMs: viewTimeoutMs,
        what: "reading the members",
      });
    } catch (error) {
      // With the store away the last view is better than none.
      if (cached) return aged(cached);
      throw error;
    }
  }

  /**
   * A view as of now, by the most time that can have passed since it was seen: beats grow old and claims lapse with their
   * leases, though no news come in. Whoever asks while Redis is away must not be shown a leader that has long given up.
   */
  function aged(view: View): View {
    const silentMs = membership.unacknowledgedMs();
    return { ...view, observedAtMs: view.observedAtMs + (Number.isFinite(silentMs) ? silentMs : 0) };
  }

  /** Who leads by the lease as this node last saw it, or by what a member reports of itself, whichever is newer. */
  async function currentLeader(): Promise<Leader | undefined> {
    const { members, observedAtMs } = await freshView();
    const claims = members.flatMap((member) => claimOf(member, observedAtMs) ?? []);
    const seen = election.leader();
    return [...(seen ? [seen] : []), ...claims].sort((a, b) => b.term - a.term)[0];
  }

  /** Waits for a leader with a higher term than `above`, and repeats `nudge` meanwhile. */
  async function nextLeader(
    above: number,
    startedMs: number,
    nudge?: () => Promise<void>,
  ): Promise<LeaderChange["newLeader"]> {
    const deadlineMs = startedMs + 2 * leaseDurationMs;
    for (let nudgedMs = Number.NEGATIVE_INFINITY; clock.now() < deadlineMs; ) {
      const leader = election.leader();
      if (leader && leader.term > above) return leader.nodeId;
      if (nudge && clock.now() - nudgedMs >= repeatMs) {
        nudgedMs = clock.now();
        await nudge();
      }
      await changeOrSleep();
    }
    throw new ParallaxError(
      "election_timeout",
      "changing the leader: nobody took over in time; look at the nodes and at Redis",
    );
  }

  function changeOrSleep(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        unsubscribe();
        cancel();
        resolve();
      };
      const unsubscribe = election.subscribe(done);
      const cancel = clock.after(100, done);
    });
  }

  /**
   * A process that was stopped finds requests of long ago when it goes on, and hears a moment later that who sent them has
   * left: the leader is not changed for nobody.
   */
  async function assertAwaited(asker: AbortSignal | undefined): Promise<void> {
    if (!asker) return;
    await clock.sleep(hangUpMs);
    if (!asker.aborted) return;
    const message = "changing the leader: who asked for it has left, so nothing was changed";
    throw new ParallaxError("timeout", message);
  }

  function stepDownSelf(): void {
    election.stepDown().catch((error: unknown) => {
      // Nobody waits for it: who asked sees whether another one leads.
      if (!isParallaxError(error, "not_leader")) logger.warn("could not step down", { error });
    });
  }

  async function askToStepDown(leader: string): Promise<void> {
    if (leader === nodeId) stepDownSelf();
    else await send(leader, { type: "step-down", from: nodeId });
  }

  async function change(oldLeader: Leader | undefined, nudge?: () => Promise<void>): Promise<LeaderChange> {
    const startedMs = clock.now();
    const newLeader = await nextLeader(oldLeader?.term ?? 0, startedMs, nudge);
    const term = election.leader()?.term;
    return {
      oldLeader: oldLeader?.nodeId ?? null,
      newLeader,
      ...(term === undefined ? {} : { term }),
      tookMs: Math.round(clock.now() - startedMs),
    };
  }

  return {
    async status() {
      const view = await freshView();
      const observedAt = new Date(view.observedAtMs).toISOString();
      return {
        clusterId,
        members: view.members.map((member) => memberView(member, view.observedAtMs)),
        observedAt,
        nodeId,
        enabled,
      };
    },
    async stepDown(asker) {
      await assertAwaited(asker);
      const leader = await currentLeader();
      if (!leader)
        throw new ParallaxError("no_leader", "stepping down: nobody leads at present; see /ha/status");
      const { members } = await freshView();
      const standbys = members.filter((member) => member.id !== leader.nodeId && mayLead(member));
      if (standbys.length === 0) {
        const message =
          "stepping down: no healthy standby could take over, so nothing was changed; start another node first";
        throw new ParallaxError("no_standby", message);
      }
      return change(leader, () => askToStepDown(leader.nodeId));
    },
    async elect(force, asker) {
      await assertAwaited(asker);
      if (!force) {
        const leader = await currentLeader();
        return change(leader, leader ? () => askToStepDown(leader.nodeId) : undefined);
      }
      const { deposed, term } = await election.depose();
      const result = await change({ nodeId: deposed?.nodeId ?? "", term });
      return { ...result, oldLeader: deposed?.nodeId ?? null };
    },
    async drain(node = nodeId) {
      if (node === nodeId) options.drainSelf();
      else {
        const { members } = await freshView();
        if (!members.some(({ id }) => id === node)) {
          throw new ParallaxError(
            "member_not_found",
            `draining ${node}: the cluster has no such member; see /ha/status`,
          );
        }
        await membership.drain(node);
        await send(node, { type: "drain", from: nodeId });
      }
      return { nodeId: node, drainTimeoutMs };
    },
    receive(message) {
      if (message.type === "step-down") stepDownSelf();
      if (message.type === "drain") options.drainSelf();
    },
  };
}

function mayLead(member: Member): boolean {
  return (
    (member.status === "healthy" || member.status === "suspect") && member.report.facts.electable !== false
  );
}

/** What a member says of its leadership, unless it has lapsed with its lease, whatever became of the claimant. */
function claimOf({ id, status, lastBeatAtMs, report }: Member, observedAtMs: number): Leader | undefined {
  const { leading } = report;
  if (!leading || status === "failed" || observedAtMs - lastBeatAtMs >= leading.remainingMs) return undefined;
  return { nodeId: id, term: leading.term };
}

/** A member as `/ha/status` shows it. */
function memberView(member: Member, observedAtMs: number): HaMember {
  const { id, address, incarnation, zone, status, lastBeatAtMs } = member;
  const claim = claimOf(member, observedAtMs);
  return {
    id,
    address,
    role: claim ? "leader" : "standby",
    status: status === "failed" ? "unhealthy" : status === "draining" ? "draining" : "healthy",
    lastHeartbeat: new Date(lastBeatAtMs).toISOString(),
    ...(status === "suspect" ? { suspected: true } : {}),
    incarnation,
    ...(zone === undefined ? {} : { zone }),
    ...(claim ? { term: claim.term } : {}),
  };
}
