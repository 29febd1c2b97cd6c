import { type Clock, createTracing, type Logger, type Random } from "@parallax/core";
import { createEventBus, type EventBus } from "@parallax/event-bus";
import { createHealth, type Health } from "@parallax/health";
import type { Metrics } from "@parallax/metrics";
import { createStateStore, type StateStore } from "@parallax/state-store";
import { rebalanceDuty } from "../agents/rebalance.ts";
import type { Backends } from "../backends.ts";
import { type ClusterParts, createClusterParts } from "../cluster.ts";
import { type Collections, openCollections } from "../collections.ts";
import type { Config } from "../config/schema.ts";
import { createDrain, type Drain } from "../drain.ts";
import { createLeadership } from "../duties/duties.ts";
import { collectionDuty, sessionDuty } from "../duties/housekeeping.ts";
import { createOwnerCheck } from "../duties/owner-check.ts";
import { recoveryDuty } from "../duties/recovery.ts";
import { createCountedTime } from "../executions/counted-time.ts";
import { createFunctionRunner, type FunctionRunner } from "../executions/function-runner.ts";
import { type ClusterMetrics, createClusterMetrics } from "../observe/cluster-metrics.ts";
import { measureRecords } from "../observe/measured-records.ts";
import { createNodeMetrics, observeExecution } from "../observe/node-metrics.ts";
import { createWorkTracing, type WorkTracing } from "../observe/traced-work.ts";
import { type Functions, readFunctions } from "../patterns/functions.ts";
import { createStoreTime, type StoreTime } from "../store-time.ts";
import { watchHealth } from "../watch-health.ts";
import { createWork, type Work } from "../work.ts";
import { type Candidacy, createCandidacy } from "./candidacy.ts";

/** What a node is made from. */
export interface NodeContext {
  readonly config: Config;
  readonly backends: Backends;
  readonly nodeId: string;
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The functions of users that it has. Default: those of its directory of patterns. */
  readonly functions?: Functions;
  /** Runs them. Default: in worker threads. */
  readonly runner?: FunctionRunner;
}

/** Everything that a node consists of, composed and not yet running. */
export interface NodeParts extends NodeContext, ClusterParts {
  readonly bus: EventBus;
  readonly store: StateStore;
  readonly collections: Collections;
  /** What is heard of it comes in by the counted time. */
  readonly storeTime: Pick<StoreTime, "now">;
  readonly countedTime: StoreTime;
  readonly work: Work;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly tracing: WorkTracing;
  readonly clusterMetrics: ClusterMetrics;
  readonly candidacy: Candidacy;
  readonly drain: Drain;
  /** When the last API request was answered. */
  readonly traffic: { lastMs: number };
}

/** Composes a node: stores, then the packages on them, then the services on those. */
export async function assemble(context: NodeContext): Promise<NodeParts> {
  const { config, backends, clock, random, logger } = context;
  const { memberHealth, stateSync, leaderElection } = config.highAvailability;
  const { batchSize } = stateSync;
  const { checkIntervalMs } = memberHealth;
  const onError = (error: unknown): void =>
    logger.debug("a background error, met again if it lasts", { error });
  const common = { clock, random, logger, onError };

  const metrics = createNodeMetrics({ ...context, parts: () => ({ ...cluster, bus, work }) });
  const bus = createEventBus({ store: backends.log, batchSize, checkIntervalMs, ...common });
  const defaults = { replicas: backends.replicas };
  const backend = measureRecords(backends.records, clock, metrics);
  const store = createStateStore({ backend, bus, batchSize, defaults, ...common });
  const collections = openCollections(store);
  const storeTime = createStoreTime(clock, await store.time());
  const onOutage = (byMs: number): void => {
    for (const driver of work.ownership.drivers()) driver.push({ kind: "extended", byMs });
  };
  const countedTime = createCountedTime({ clock, storeTime, checkIntervalMs, onOutage });

  const tracing = createWorkTracing(createTracing("@parallax/control-plane"), context.nodeId);
  const functions = context.functions ?? (await readFunctions(config.patterns.directory));
  const abilities = () => ({ room: work.room(), functions: functions.hashes });
  const cluster = createClusterParts({ ...context, load: () => loadOf(work), abilities });
  const { election, membership, standing } = cluster;
  const isDraining = (): boolean => drain.signal.aborted;
  const work: Work = createWork({
    ...context,
    ...{ collections, bus, membership, storeTime, countedTime, functions },
    runner: context.runner ?? createFunctionRunner({ clock }),
    isDraining,
    isCutOff: () => standing.isCutOff,
    onFinished: (record) => observeExecution(metrics, record),
    onAttempt: metrics.observeTask,
    tracing,
  });

  const health = healthOf({ ...context, ...cluster });
  const clusterMetrics = createClusterMetrics({ ...context, ...cluster, metrics });

  const lead = createLeadership({
    store,
    clock,
    logger,
    duties: dutiesOf({ ...context, ...cluster, collections, storeTime, work }),
    onRun: (duty, durationMs, ok) => metrics.observeDuty({ duty, seconds: durationMs / 1000, ok }),
  });
  const candidacy = createCandidacy({ election, electable: leaderElection.enabled, standing, lead });
  const traffic = { lastMs: clock.now() };
  const drain: Drain = createDrain({
    health,
    membership,
    work,
    clock,
    logger,
    drainTimeoutMs: config.server.drainTimeout,
    lookAtTime: async () => countedTime.observe(await store.time()),
    stopLeading: () => candidacy.stop(),
    lastRequestMs: () => traffic.lastMs,
  });
  return {
    ...context,
    ...cluster,
    ...{ bus, store, collections, storeTime, countedTime, work, health },
    ...{ metrics, tracing, clusterMetrics, candidacy, drain, traffic },
  };
}

function loadOf({ roster, hub }: Work): { capacity: Readonly<Record<string, number>>; agents: number } {
  return { capacity: roster.capacity(), agents: hub.size };
}

function healthOf(node: NodeContext & ClusterParts): Health {
  const { config, backends, nodeId, clock, logger, election, membership } = node;
  const health = createHealth({ clock, logger, serviceId: nodeId });
  const mustLead = !config.highAvailability.enabled && backends.kind === "redis";
  const { outageGrace: redisGraceMs } = config.redis;
  watchHealth({ health, redis: backends.redis, redisGraceMs, election, membership, mustLead });
  return health;
}

type DutyParts = Pick<NodeParts, keyof NodeContext | "membership" | "collections" | "storeTime" | "work">;

/** What the leader does in the background. */
function dutiesOf(node: DutyParts) {
  const { config, nodeId, membership, collections, storeTime, work, clock, logger } = node;
  const { executions, agents, patterns } = collections;
  const { checkIntervalMs, unhealthyThreshold } = config.highAvailability.memberHealth;
  const ownerCheck = createOwnerCheck({ membership, clock, absentMs: checkIntervalMs * unhealthyThreshold });
  const { maxFinished, retention: retentionMs } = config.executions;
  return [
    recoveryDuty({
      executions,
      membership,
      ownerCheck,
      clock,
      storeTime,
      logger,
      nodeId,
      retentionMs,
      send: work.peers.send,
      settlingMs: checkIntervalMs * 2,
    }),
    sessionDuty({ agents, ownerCheck, graceMs: config.agents.reconnectGrace, now: () => storeTime.now() }),
    rebalanceDuty({
      membership,
      clock,
      settledAfterMs: 2 * checkIntervalMs,
      tell(target, share) {
        if (target === nodeId) work.hub.shed(share);
        else work.peers.send(target, { type: "rebalance", from: nodeId, share });
      },
    }),
    collectionDuty({ collections: [executions, agents, patterns], executions, maxFinished, logger }),
  ];
}
