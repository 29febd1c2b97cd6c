import type { Election } from "./election.ts";

/** What {@link leaseHealthCheck} found: the shape of a finding of `@parallax/health`, and of health+json. */
export interface LeaseHealthFinding {
  readonly status: "pass" | "warn" | "fail";
  readonly output?: string;
  readonly observedValue?: string;
}

/** A named check, as `health.check` of `@parallax/health` takes it. */
export interface LeaseHealthCheck {
  readonly name: "lease";
  readonly severity: "warning";
  run(): LeaseHealthFinding;
}

/**
 * A check of an election that asks nobody. It fails while work outlives its lost lease, which only ending the process mends;
 * it warns while this node sees no leader. A standby is healthy, and so is a node that lost the lease and ended its work.
 *
 * @example health.check(leaseHealthCheck(election));
 */
export function leaseHealthCheck(election: Election): LeaseHealthCheck {
  return {
    name: "lease",
    severity: "warning",
    run() {
      if (election.stats().workOverran) {
        return {
          status: "fail",
          output: "work goes on though its lease is over; end it, or restart this node",
        };
      }
      const leader = election.leader();
      if (leader) return { status: "pass", observedValue: leader.nodeId };
      return {
        status: "warn",
        output: "no leader is known; see whether the store can be reached from the nodes",
      };
    },
  };
}
