import type { Clock, Logger, Random } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Membership } from "@parallax/membership";
import type { Metrics } from "@parallax/metrics";
import { createHub, type Hub } from "./agents/hub.ts";
import { createProgress, type Progress } from "./agents/progress.ts";
import { createResumeTokens } from "./agents/resume-tokens.ts";
import { createRoster, type Roster } from "./agents/roster.ts";
import { createSessions, type Sessions } from "./agents/sessions.ts";
import type { Collections } from "./collections.ts";
import type { Config } from "./config/schema.ts";
import { createAggregator } from "./executions/aggregator.ts";
import { type Catalog, createCatalog } from "./executions/catalog.ts";
import { createDispatcher, type Dispatcher } from "./executions/dispatcher.ts";
import { createExchange, type Exchange } from "./executions/exchange.ts";
import { createFinals, type Finals } from "./executions/finals.ts";
import type { FunctionRunner } from "./executions/function-runner.ts";
import { createJournal } from "./executions/journal.ts";
import { createOwnership, type Ownership } from "./executions/ownership.ts";
import type { ExecutionRecord } from "./executions/record.ts";
import { createSchemas } from "./executions/schemas.ts";
import { createTaskTimes } from "./observe/measured-agents.ts";
import type { WorkTracing } from "./observe/traced-work.ts";
import type { Functions } from "./patterns/functions.ts";
import { createPatterns, type Patterns } from "./patterns/registry.ts";
import { chooseOwner, createPeers, mayOwn, type Peers } from "./peers.ts";
import type { StoreTime } from "./store-time.ts";

export interface WorkOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly collections: Collections;
  readonly bus: EventBus;
  /** The roster is made before membership, which reports its capacity. */
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly storeTime: Pick<StoreTime, "now">;
  readonly countedTime: StoreTime;
  readonly logger: Logger;
  readonly functions: Functions;
  /** Runs functions of users. Ended with the work. */
  readonly runner: FunctionRunner;
  readonly isDraining: () => boolean;
  /** M3: the cluster does not hear this node. */
  readonly isCutOff: () => boolean;
  /** An execution ended on this node. */
  readonly onFinished: (record: ExecutionRecord) => void;
  /** An attempt of a task ended on an agent of this node. */
  readonly onAttempt: Metrics["observeTask"];
  readonly tracing: WorkTracing;
}

/** What a node works with: executions, patterns and agents. */
export interface Work {
  readonly hub: Hub;
  readonly roster: Roster;
  readonly sessions: Sessions;
  readonly dispatcher: Pick<Dispatcher, "waiting">;
  readonly exchange: Exchange;
  readonly ownership: Ownership;
  readonly catalog: Catalog;
  readonly patterns: Patterns;
  readonly finals: Finals;
  readonly peers: Peers;
  readonly progress: Progress;
  /** How many more executions this node takes. */
  room(): number;
  /** Ends what runs beside the node. */
  close(): Promise<void>;
}

/** How many tasks may wait for agents on one node (S7). */
export const lineLimit = 100_000;

export function createWork(options: WorkOptions): Work {
  const { config, nodeId, collections, bus, membership, clock, random, logger, tracing } = options;
  const { functions, runner, countedTime } = options;
  const { executions, agents } = collections;
  const reconnectGraceMs = config.agents.reconnectGrace;
  const base = { nodeId, clock, random, storeTime: countedTime, logger, executions, reconnectGraceMs };
  const peers = createPeers({ nodeId, membership, bus, logger, functions: functions.hashes });
  const owner = (): string => peers.self().owner;

  const taskTimes = createTaskTimes(clock, options.onAttempt);
  const dispatcher = createDispatcher({ roster: () => roster, limit: lineLimit });
  const roster = createRoster((agentId) => dispatcher.onFree(agentId));
  const tokens = createResumeTokens({ ...base, secrets: collections.secrets });
  const sessions = createSessions({ ...base, agents, tokens, owner });
  let sender: Pick<Hub, "has" | "send"> | undefined;
  const exchange = createExchange({
    ...base,
    dispatcher,
    roster,
    hub: () => (sender ??= tracing.sending(taskTimes.sending(hub))),
    peers: peers.takerIds,
    send: peers.send,
    whereIs: async (agentId) => (await sessions.get(agentId))?.nodeId,
    nowMs: () => countedTime.now(),
  });
  const journal = tracing.journal(createJournal({ ...base, retentionMs: config.executions.retention }));
  const schemas = createSchemas();
  const room = (): number => Math.max(0, config.executions.maxOpen - ownership.open);
  const ownership = createOwnership({
    ...base,
    owner,
    journal,
    schemas,
    aggregator: tracing.aggregator(createAggregator({ runner, find: functions.find, logger })),
    hasFunction: (hash) => functions.find(hash) !== undefined,
    whoHas: (hash) => peers.takers().find((peer) => mayOwn(peer, hash)),
    broker: exchange,
    courier: exchange,
    send: peers.send,
    onFinished: options.onFinished,
    tracing,
  });
  const progress = createProgress({ nodeId, clock, peers: peers.takerIds, send: peers.send });
  const hub = createHub({
    ...base,
    ...{ sessions, roster, progress },
    reports: taskTimes.ending(ownership),
    maxPayloadBytes: config.agents.maxPayload,
    tell: peers.send,
  });
  const about = { schemas, functions, bus, topic: "pattern", clock, logger };
  const patterns = createPatterns({ patterns: collections.patterns, ...about });
  const finals = createFinals({ bus, clock, topic: "execution" });
  const catalog = createCatalog({
    ...base,
    storeTime: options.storeTime,
    ownership,
    finals,
    schemas,
    pattern: (name) => patterns.use(name),
    chooseOwner: (functionHash) =>
      chooseOwner(peers, { isDraining: options.isDraining(), isCutOff: options.isCutOff(), functionHash }),
    tellOwner: (target) => peers.send(target, { type: "adopt", from: nodeId }),
    defaultTimeoutMs: config.executions.defaultTimeout,
  });
  return {
    ...{ hub, roster, sessions, dispatcher, exchange, ownership, catalog, patterns, finals, peers },
    ...{ progress, room, close: () => endBoth(progress, runner) },
  };
}

function endBoth(progress: Pick<Progress, "stop">, runner: FunctionRunner): Promise<void> {
  progress.stop();
  return runner.close();
}
