import { type Clock, type Logger, ParallaxError, type Random } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Membership } from "@parallax/membership";
import { createHub, type Hub } from "./agents/hub.ts";
import { createRoster, type Roster } from "./agents/roster.ts";
import { createSessions, type Sessions } from "./agents/sessions.ts";
import type { Collections } from "./collections.ts";
import type { Config } from "./config/schema.ts";
import type { Delivery } from "./executions/broker.ts";
import { type Catalog, createCatalog, type Owner } from "./executions/catalog.ts";
import { createDispatcher } from "./executions/dispatcher.ts";
import { createExchange, type Exchange } from "./executions/exchange.ts";
import { createFinals, type Finals } from "./executions/finals.ts";
import { createJournal } from "./executions/journal.ts";
import { createOwnership, type Ownership } from "./executions/ownership.ts";
import { attemptOf, currentAssignment, executionOf, ownerName, taskIndex } from "./executions/record.ts";
import type { NodeMessage } from "./node-messages.ts";
import { createPatterns, definitionOf, type Patterns } from "./patterns/registry.ts";
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
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  readonly isDraining: () => boolean;
}

/** What a node works with: executions, patterns and agents. */
export interface Work {
  readonly hub: Hub;
  readonly roster: Roster;
  readonly sessions: Sessions;
  readonly exchange: Exchange;
  readonly ownership: Ownership;
  readonly catalog: Catalog;
  readonly patterns: Patterns;
  readonly finals: Finals;
  /** Live members that take work, without this node. */
  peers(): readonly string[];
  /** The name under which the process of a member owns executions. */
  ownerOf(nodeId: string): string | undefined;
  send(nodeId: string, message: NodeMessage): void;
}

/** How many tasks may wait for agents on one node (S7). */
const lineLimit = 100_000;

export function createWork(options: WorkOptions): Work {
  const { config, nodeId, collections, bus, membership, clock, random, storeTime, logger } = options;
  const { executions, agents } = collections;
  const reconnectGraceMs = config.agents.reconnectGrace;
  const owner = (): string => ownerName({ nodeId, incarnation: membership.incarnation });

  const dispatcher = createDispatcher({ roster: () => roster, limit: lineLimit });
  const roster = createRoster((agentId) => dispatcher.onFree(agentId));
  const sessions = createSessions({ agents, nodeId, owner, clock, reconnectGraceMs });

  function send(target: string, message: NodeMessage): void {
    bus
      .send(target, message)
      .catch((error: unknown) =>
        logger.debug("a hint was not sent", { to: target, type: message.type, error }),
      );
  }

  function takers(): readonly { readonly id: string; readonly incarnation: string }[] {
    const members = membership.view()?.members ?? [];
    return members.filter(
      ({ id, status }) => id !== nodeId && (status === "healthy" || status === "suspect"),
    );
  }

  function ownerOf(target: string): string | undefined {
    const member = membership.view()?.members.find(({ id }) => id === target);
    return member ? ownerName({ nodeId: member.id, incarnation: member.incarnation }) : undefined;
  }

  function chooseOwner(): Owner {
    if (!options.isDraining()) return { nodeId, owner: owner() };
    const [heir] = takers();
    if (heir)
      return { nodeId: heir.id, owner: ownerName({ nodeId: heir.id, incarnation: heir.incarnation }) };
    throw new ParallaxError(
      "draining",
      "submitting an execution: this node drains and no other takes it; try again later",
    );
  }

  async function journaled(taskId: string, attempt: number, agentId: string): Promise<Delivery | undefined> {
    const stored = await executions.get(executionOf(taskId));
    const task = stored?.value.tasks[taskIndex(taskId)];
    const assignment = task && task.status === "assigned" ? currentAssignment(task) : undefined;
    if (!stored || !task || assignment?.agentId !== agentId || attemptOf(task) !== attempt) return undefined;
    const { pattern, definition, input, deadlineAtMs } = stored.value;
    const { capabilities } = definition;
    return { taskId, attempt, agentId, nodeId, pattern, capabilities, input, deadlineAtMs, resend: true };
  }

  const exchange = createExchange({
    nodeId,
    dispatcher,
    roster,
    hub: () => hub,
    clock,
    logger,
    peers: () => takers().map(({ id }) => id),
    send,
    whereIs: async (agentId) => (await sessions.get(agentId))?.nodeId,
    journaled,
    remainingMs: (deadlineAtMs) => deadlineAtMs - storeTime.now(),
  });
  const journal = createJournal({
    executions,
    clock,
    random,
    storeTime,
    logger,
    retentionMs: config.executions.retention,
  });
  const ownership = createOwnership({
    nodeId,
    owner,
    executions,
    journal,
    broker: exchange,
    courier: exchange,
    clock,
    storeTime,
    logger,
    reconnectGraceMs,
    send,
  });
  const hub = createHub({
    sessions,
    roster,
    reports: ownership,
    nodeId,
    clock,
    random,
    logger,
    reconnectGraceMs,
    maxPayloadBytes: config.agents.maxPayload,
  });
  const patterns = createPatterns({ patterns: collections.patterns, bus, topic: "pattern", clock, logger });
  const finals = createFinals({ bus, clock, topic: "execution" });
  const catalog = createCatalog({
    executions,
    ownership,
    finals,
    clock,
    storeTime,
    pattern: async (name) => definitionOf(await patterns.get(name)),
    chooseOwner,
    nodeId,
    tellOwner: (target) => send(target, { type: "adopt", from: nodeId }),
    defaultTimeoutMs: config.executions.defaultTimeout,
  });
  const peers = (): readonly string[] => takers().map(({ id }) => id);
  return { hub, roster, sessions, exchange, ownership, catalog, patterns, finals, peers, ownerOf, send };
}
