import type { Clock } from "@parallax/core";
import type { Member, Membership } from "@parallax/membership";
import type { Duty } from "../duties/duties.ts";
import { takesWork } from "../peers.ts";

export interface RebalanceOptions {
  readonly membership: Pick<Membership, "view">;
  readonly clock: Clock;
  /** How long the view must not have changed, in ms: agents still come back from what changed it. */
  readonly settledAfterMs: number;
  /** Tells a node how many agents it should have at most. */
  readonly tell: (nodeId: string, share: number) => void;
}

/** How far above its share a node may be before anything is done about it. */
const tolerated = { agents: 5, part: 0.1 };

/**
 * Evens out the agents of the nodes after one has joined or left. Each round tells the nodes that have too many what their
 * fair share is; they let idle agents go, a few at a time, until they are down to it. Nobody is moved while the view is
 * young, or while a member drains or is suspected: its agents are under way anyway.
 */
export function rebalanceDuty(options: RebalanceOptions): Duty {
  const { membership, clock, settledAfterMs, tell } = options;
  let seen = "";
  let since = clock.mark();
  /** Those that were above what is tolerated, until they are down at their share. */
  let shedding: ReadonlySet<string> = new Set();

  return {
    name: "agent-rebalancing",
    everyMs: 2000,
    async run() {
      const members = membership.view()?.members ?? [];
      const now = members.map(({ incarnation, status }) => `${incarnation} ${status}`).join();
      if (now !== seen) {
        seen = now;
        since = clock.mark();
      }
      const isSettled = clock.elapsedAtLeast(since) >= settledAfterMs && members.every(isSteady);
      const overFull = isSettled ? overFullNodes(members.filter(takesWork), shedding) : [];
      shedding = new Set(overFull.map(({ nodeId }) => nodeId));
      for (const { nodeId, share } of overFull) tell(nodeId, share);
    },
  };
}

function isSteady({ status }: Member): boolean {
  return status === "healthy" || status === "failed";
}

/** The nodes that have too many, each with its fair share. One that has begun to shed goes on down to it: hysteresis. */
export function overFullNodes(
  members: readonly Member[],
  shedding: ReadonlySet<string>,
): readonly { readonly nodeId: string; readonly share: number }[] {
  const counts = members.map((member) => ({ nodeId: member.id, count: agentsOf(member) }));
  const fair = counts.reduce((sum, { count }) => sum + count, 0) / members.length;
  const share = Math.ceil(fair);
  const limit = (nodeId: string): number =>
    shedding.has(nodeId) ? share : fair + Math.max(tolerated.agents, fair * tolerated.part);
  return counts.flatMap(({ nodeId, count }) => (count > limit(nodeId) ? [{ nodeId, share }] : []));
}

/** How many agents a member says that it has. */
function agentsOf({ report }: Member): number {
  const { agents } = report.facts;
  return typeof agents === "number" ? agents : 0;
}
