import { candidates, members, nodesReachable, nodesWell, oneLeader } from "./cluster-checks.ts";
import type { Evidence } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import { clocks, oneRedis, redisQuick, redisReachable, redisServers } from "./redis-checks.ts";
import { configuration, drainTime, staleWrites, subscriptions, sync } from "./state-checks.ts";

/** In the order in which one would look: a trouble further up explains those below it. */
const checks: readonly ((evidence: Evidence) => Finding[])[] = [
  nodesReachable,
  redisReachable,
  oneRedis,
  redisServers,
  redisQuick,
  clocks,
  oneLeader,
  candidates,
  members,
  nodesWell,
  subscriptions,
  sync,
  staleWrites,
  configuration,
  drainTime,
];

/** Everything that there is to say about a cluster. Pure. */
export function examine(evidence: Evidence): Finding[] {
  return checks.flatMap((check) => check(evidence));
}
