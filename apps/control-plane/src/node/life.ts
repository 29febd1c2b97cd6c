import { type Clock, errorMessage, isParallaxError, type Logger, runGroup } from "@parallax/core";
import type { PatternDefinition } from "@parallax/protocol";
import { auditAgents } from "../executions/audit.ts";
import type { HighAvailability } from "../high-availability.ts";
import { nodeMessageSchema } from "../node-messages.ts";
import { logLeaders } from "../observe/log-leaders.ts";
import { readPatterns } from "../patterns/directory.ts";
import type { NodeParts } from "./assemble.ts";

/**
 * Runs a composed node until it is stopped: membership, candidacy and upkeep together, the first to end stopping the others
 * in reverse order. When `signal` aborts, or the node is drained from outside, it drains first.
 */
export async function live(
  node: NodeParts,
  ha: HighAvailability,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  const { membership, candidacy, reachability, health, logger } = node;
  const unlisten = listenToNodes(node, ha);
  const unfollow = followMembership(node);
  const unlog = logLeaders(node);
  try {
    await runGroup([
      { name: "reachability", run: (stop) => (reachability ? reachability.run(stop) : aborted(stop)) },
      { name: "membership", run: (stop) => membership.run({ signal: stop }) },
      { name: "candidacy", run: (stop) => candidacy.run(stop) },
      { name: "upkeep", run: (stop) => keepReconciled(node, stop) },
      { name: "start", run: (stop) => becomeReady(node, stop, onReady) },
      { name: "drain", run: (stop) => drainWhenAsked(node, signal, stop) },
    ]);
  } finally {
    health.markStopped();
    unfollow();
    unlog();
    unlisten();
    logger.info("stopped");
  }
}

function listenToNodes({ bus, nodeId, work, logger }: NodeParts, ha: HighAvailability): () => void {
  return bus.receive(nodeId, (message) => {
    const parsed = nodeMessageSchema.safeParse(message);
    if (!parsed.success) {
      // A newer node may say what this one does not know; its record says it, too.
      logger.debug("a message of another node was not understood", { type: message.type });
      return;
    }
    work.exchange.receive(parsed.data);
    work.ownership.receive(parsed.data);
    work.hub.receive(parsed.data);
    work.progress.receive(parsed.data);
    ha.receive(parsed.data);
  });
}

/** M6: whoever learns that its own incarnation has ended drops what it owned; its agents come back to the new one. */
function followMembership({ membership, work }: NodeParts): () => void {
  return membership.subscribe((event) => {
    if (event.type !== "ended") return;
    work.ownership.dropAll();
    work.hub.sendAway();
  });
}

/** X2: the record decides. What a lost hint or a gap hid is found here. */
async function keepReconciled(node: NodeParts, stop: AbortSignal): Promise<void> {
  const { config, clock, logger, bus, membership } = node;
  const { checkIntervalMs } = config.highAvailability.memberHealth;
  /** The store may lack the sessions of this node's agents: they are looked after before their tasks are. */
  let mayHaveLost = false;
  async function lookAtAll(): Promise<void> {
    if (mayHaveLost) {
      mayHaveLost = false;
      await node.work.hub.restore().catch((error: unknown) => {
        mayHaveLost = true;
        throw error;
      });
    }
    await lookAtRecords(node);
  }
  const look = (act = lookAtAll): void => {
    act().catch((error: unknown) => {
      logger.warn("could not compare the records with memory; trying again", { error: errorMessage(error) });
    });
  };
  const subscription = bus.subscribe("execution", { from: "now" }, ({ type }) => {
    if (type !== "gap") return;
    mayHaveLost = true;
    look(() => node.work.ownership.recheck());
  });
  const unfollow = membership.subscribe(({ type }) => {
    if (type === "reset") mayHaveLost = true;
    if (type === "back" || type === "reset") look();
  });
  try {
    await joinedOrStopped(node, stop);
    while (!stop.aborted) {
      look();
      await sleepUnlessAborted(clock, checkIntervalMs, stop);
    }
  } finally {
    subscription.close();
    unfollow();
  }
}

async function lookAtRecords(node: NodeParts): Promise<void> {
  const { work, store, collections, storeTime, countedTime, config } = node;
  // A machine that slept, or waited for the store, hears first of the time that went by without it (X8).
  countedTime.observe(await store.time());
  await work.ownership.reconcile();
  await auditAgents(work.ownership.drivers(), {
    agents: collections.agents,
    storeTime,
    isHere: (agentId) => work.hub.has(agentId),
    reconnectGraceMs: config.agents.reconnectGrace,
  });
}

async function becomeReady(node: NodeParts, stop: AbortSignal, onReady: () => void): Promise<void> {
  const { config, work, health, logger, membership } = node;
  const definitions = await readPatterns(config.patterns.directory);
  await joinedOrStopped(node, stop);
  if (stop.aborted) return;
  for (const definition of definitions) await work.patterns.put(definition);
  const unfollow = membership.subscribe(({ type }) => {
    if (type === "reset") void restoreStore(node, definitions, stop);
  });
  await work.ownership.reconcile();
  health.markReady();
  logger.info("ready", { patterns: definitions.length });
  onReady();
  await aborted(stop);
  unfollow();
}

/**
 * A store that lost the members has lost more: whose it is, or else a node of another cluster would join this one, and the
 * patterns. What somebody has stored since then stays.
 */
async function restoreStore(
  { backends, config, work, clock, logger }: NodeParts,
  definitions: readonly PatternDefinition[],
  stop: AbortSignal,
): Promise<void> {
  const { clusterId, memberHealth } = config.highAvailability;
  while (!stop.aborted) {
    try {
      await backends.claim(clusterId);
      for (const definition of definitions) await work.patterns.put(definition, { replace: false });
      return;
    } catch (error) {
      logger.warn("could not store again what the store had lost; trying again", {
        error: errorMessage(error),
      });
      await sleepUnlessAborted(clock, memberHealth.checkIntervalMs, stop);
    }
  }
}

async function drainWhenAsked(
  { drain, logger }: NodeParts,
  signal: AbortSignal,
  stop: AbortSignal,
): Promise<void> {
  await Promise.race([aborted(signal), aborted(drain.signal), aborted(stop)]);
  if (stop.aborted) return;
  await drain.run();
  logger.debug("leaving the cluster");
}

/** A node that can't join can still be stopped: membership, which would say so, ends only after this. */
async function joinedOrStopped({ membership }: NodeParts, stop: AbortSignal): Promise<void> {
  await Promise.race([membership.joined(), aborted(stop)]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch((error: unknown) => {
    if (!isParallaxError(error, "aborted")) throw error;
  });
}

/** Closes what {@link NodeParts} opened, last opened first. */
export async function close({ work, metrics, health, store, bus }: NodeParts, logger: Logger): Promise<void> {
  work.hub.terminate();
  work.ownership.dropAll();
  work.exchange.close();
  work.finals.close();
  work.patterns.close();
  metrics.close();
  health.close();
  await work.close();
  for (const part of [store, bus]) {
    await part
      .close()
      .catch((error: unknown) => logger.warn("a part did not close well", { error: errorMessage(error) }));
  }
}
