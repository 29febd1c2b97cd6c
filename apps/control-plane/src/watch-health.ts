import type { Health } from "@parallax/health";
import type { Election } from "@parallax/leader-election";
import type { Membership } from "@parallax/membership";
import type { RedisConnections } from "@parallax/redis";

/** The name of the check that tells whether Redis answers. */
export const redisCheck = "redis";

export interface WatchHealthOptions {
  readonly health: Health;
  readonly redis: RedisConnections | undefined;
  /** How long a node may be cut off from Redis before it takes no traffic: its agents and their tasks go on meanwhile. */
  readonly redisGraceMs: number;
  readonly election: Election;
  readonly membership: Membership;
  /** A node that runs alone on a Redis takes traffic only while it holds the lease: a second process waits its turn. */
  readonly mustLead: boolean;
}

/** The checks of a control-plane node. Liveness has none of them. */
export function watchHealth(options: WatchHealthOptions): void {
  const { health, redis, redisGraceMs: graceMs, election, membership, mustLead } = options;
  if (redis) {
    health.check({
      name: redisCheck,
      severity: "critical",
      graceMs,
      intervalMs: 1000,
      // Requests are refused while this fails: a machine that is short of breath for two seconds must not come to that.
      timeoutMs: 4500,
      async run() {
        await redis.data.command("PING", [], { deadlineMs: 4000 });
        return {
          status: "pass",
          observedValue: Math.round((redis.data.roundTripMs ?? 0) * 10) / 10,
          observedUnit: "ms",
        };
      },
    });
  }
  health.check({
    name: "membership",
    severity: "warning",
    run() {
      const view = membership.view();
      const failed = view?.members.filter(({ status }) => status === "failed").map(({ id }) => id) ?? [];
      if (!view) return { status: "warn", output: "this node has not joined yet" };
      if (failed.length === 0)
        return { status: "pass", observedValue: view.members.length, observedUnit: "members" };
      return {
        status: "warn",
        output: `unhealthy: ${failed.join(", ")}; restart them, or look at their network`,
      };
    },
  });
  if (!mustLead) return;
  health.check({
    name: "single-node",
    severity: "critical",
    intervalMs: 500,
    run: () =>
      election.stats().isLeader
        ? { status: "pass" }
        : {
            status: "fail",
            output: "another process uses this Redis; this node takes over when that one has ended",
          },
  });
}
