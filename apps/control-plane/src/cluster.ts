import { type Clock, type Logger, type Random, randomId } from "@parallax/core";
import { createElection, type Election } from "@parallax/leader-election";
import { createMembership, type Membership } from "@parallax/membership";
import type { Reachability } from "@parallax/redis";
import type { Backends } from "./backends.ts";
import { createClaim } from "./claim.ts";
import type { Config } from "./config/schema.ts";
import { createStanding, type Standing } from "./node/standing.ts";
import { createVouch } from "./vouch.ts";

export interface ClusterOptions {
  readonly config: Config;
  readonly backends: Backends;
  readonly nodeId: string;
  readonly address: string;
  /** Free slots by set of capabilities, and how many agents are connected. */
  readonly load: () => { readonly capacity: Readonly<Record<string, number>>; readonly agents: number };
  /** What others need to know to give it executions: how many more it takes, and the functions of users that it has. */
  readonly abilities: () => { readonly room: number; readonly functions: readonly string[] };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** This node's place in the cluster: its membership and its candidacy. */
export interface ClusterParts {
  readonly election: Election;
  readonly membership: Membership;
  /** M7: whether what this node works with works; undefined where that is in its own process. */
  readonly reachability: Reachability | undefined;
  readonly standing: Standing;
}

export function createClusterParts(options: ClusterOptions): ClusterParts {
  const { config, backends, nodeId, address, load, abilities, clock, random, logger } = options;
  const { leaderElection, memberHealth } = config.highAvailability;
  const onError =
    (part: string) =>
    (error: unknown): void =>
      logger.warn(`${part} met an error; it goes on`, { error });
  const common = { nodeId, incarnation: randomId("", random), clock, random, logger };

  const election = createElection({
    ...common,
    store: backends.lease,
    leaseDurationMs: leaderElection.leaseDurationMs,
    renewDeadlineMs: leaderElection.renewDeadlineMs,
    retryPeriodMs: leaderElection.retryPeriodMs,
    replicas: backends.replicas,
    onError: onError("the election"),
  });
  const claim = createClaim({ election, retryPeriodMs: leaderElection.retryPeriodMs, clock, logger });
  const reachability = backends.reachability({
    clock,
    everyMs: memberHealth.checkIntervalMs / 2,
    // The others compare what works for them. A beat that fails is followed by another.
    onChange: () => void membership.beat().catch(onError("membership")),
  });
  const membership: Membership = createMembership({
    ...common,
    store: backends.membership,
    address,
    ...(config.node.zone === undefined ? {} : { zone: config.node.zone }),
    ...memberHealth,
    vouch: createVouch({
      nodeId,
      reachability,
      view: () => membership.view(),
      // So that the beats stop before anybody could hold the silence against it.
      graceMs: memberHealth.checkIntervalMs * memberHealth.unhealthyThreshold - memberHealth.timeoutMs,
    }),
    report() {
      const { capacity, agents } = load();
      return {
        leading: claim.leading(),
        capacity,
        facts: {
          electable: leaderElection.enabled,
          agents,
          broken: reachability?.broken ?? [],
          ...abilities(),
        },
      };
    },
    onError: onError("membership"),
  });
  claim.keep(membership);
  return { election, membership, reachability, standing: createStanding(membership) };
}
