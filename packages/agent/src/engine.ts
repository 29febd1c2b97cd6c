import { errorMessage, isParallaxError, ParallaxError, type Tracing } from "@parallax/core";
import { type AgentFrame, agentLimits, type TaskFrame } from "@parallax/protocol";
import type { AgentEvent } from "./agent-events.ts";
import { type Connector, createConnector } from "./connector.ts";
import type { Task, TaskHandler } from "./handler.ts";
import type { AgentSettings } from "./options.ts";
import { createRunner } from "./runner.ts";
import { createSession, type Effect } from "./session.ts";

/** What {@link createEngine} needs. */
export interface EngineOptions {
  readonly settings: AgentSettings;
  readonly tracing: Tracing;
  readonly handlers: ReadonlyMap<string, TaskHandler>;
  readonly notify: (event: AgentEvent) => void;
}

/** Session, handlers and connection of one agent, put together. */
export interface Engine {
  readonly online: boolean;
  readonly owed: number;
  /** Connects until stopped. Resolves once stopped. @throws ParallaxError `gave_up`; what is held and owed stays for the next call. */
  connect(): Promise<void>;
  /** Whether `connect` runs. */
  readonly connecting: boolean;
  /** Finishes what can be finished in `timeoutMs` milliseconds, hands the rest back, and closes. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

export function createEngine({ settings, handlers, tracing, notify }: EngineOptions): Engine {
  const { clock, logger, random, name, maxConcurrentTasks, metadata } = settings;
  const session = createSession({
    name,
    capabilities: allCapabilities(handlers, settings),
    maxConcurrentTasks,
    metadata,
    choose: (capabilities) => capabilities.find((capability) => handlers.has(capability)),
    random,
  });
  const runner = createRunner({
    logger,
    tracing,
    onProgress: (run, value, message) => perform(session.progress(run, value, message, clock.now())),
    onFinished: (run, outcome) => perform(session.finished(run, outcome, clock.now())),
  });
  let current:
    | { readonly connector: Connector; readonly controller: AbortController; ended: Promise<void> }
    | undefined;
  let onSettled: () => void = () => {};

  /** Nobody waits for the word that a task is worked on: where its result is there at once, that says it, too. */
  const accepts = new Map<string, AgentFrame>();

  function send(frame: AgentFrame): void {
    if (frame.type === "accept") {
      if (accepts.size === 0) clock.after(0, sendAccepts);
      accepts.set(frame.taskId, frame);
      return;
    }
    if (frame.type === "result" || frame.type === "failure") accepts.delete(frame.taskId);
    if (frame.type === "progress") sendAccepts();
    current?.connector.send(frame);
  }

  function sendAccepts(): void {
    const frames = [...accepts.values()];
    accepts.clear();
    if (session.online) for (const frame of frames) current?.connector.send(frame);
  }

  function perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "send") send(effect.frame);
      else if (effect.type === "run") run(effect.run, effect.task, effect.capability);
      else if (effect.type === "abort") runner.abort(effect.run, effect.reason);
      else if (effect.type === "move") current?.connector.moveAfter(effect.afterMs);
      else notify(effect.event);
    }
    if (!session.owes) onSettled();
  }

  function run(run: number, task: TaskFrame, capability: string): void {
    const handler = handlers.get(capability);
    if (handler) runner.start(run, toTask(task, capability), handler);
  }

  async function connect(): Promise<void> {
    const controller = new AbortController();
    const connector = createConnector({
      settings,
      session,
      receive: (frame) => perform(session.receive(frame, clock.now())),
      tick: () => perform(session.tick(clock.now())),
      notify,
    });
    const ended = connector.run(controller.signal).catch((cause: unknown) => {
      current = undefined;
      const error = isParallaxError(cause)
        ? cause
        : new ParallaxError("internal", errorMessage(cause), { cause });
      logger.error("gave up", { error });
      notify({ type: "gave-up", error });
      throw error;
    });
    current = { connector, controller, ended };
    await ended;
  }

  /** Resolves when nothing is held or owed, the connection is given up, or the time is over. */
  async function settle(ended: Promise<void>, timeoutMs: number): Promise<void> {
    if (!session.owes) return;
    const timer = new AbortController();
    const settled = new Promise<void>((resolve) => (onSettled = resolve));
    const ignore = (): void => {};
    await Promise.race([settled, ended.catch(ignore), clock.sleep(timeoutMs, timer.signal).catch(ignore)]);
    timer.abort();
  }

  return {
    get online() {
      return session.online;
    },
    get owed() {
      return session.owed;
    },
    get connecting() {
      return current !== undefined;
    },
    connect,
    async stop(timeoutMs) {
      perform(session.drain());
      if (current) {
        const { connector, controller, ended } = current;
        await settle(ended, timeoutMs);
        if (session.online) connector.send({ type: "goodbye" });
        controller.abort();
        await ended.catch(() => {});
      }
      runner.abortAll("the agent stops");
      current = undefined;
      if (session.owed > 0)
        logger.warn("stopped with results that were not acknowledged", { owed: session.owed });
      notify({ type: "stopped", owed: session.owed });
    },
  };
}

/** Those with a handler and the further ones. @throws ParallaxError `invalid_options` past what `hello` can carry. */
function allCapabilities(handlers: EngineOptions["handlers"], settings: AgentSettings): readonly string[] {
  const all = [...new Set([...handlers.keys(), ...settings.capabilities])];
  if (all.length <= agentLimits.maxCapabilities) return all;
  const message = `starting the agent with ${all.length} capabilities: have at most ${agentLimits.maxCapabilities}`;
  throw new ParallaxError("invalid_options", message, { details: { path: "capabilities" } });
}

function toTask(frame: TaskFrame, capability: string): Task {
  const { taskId, executionId, attempt, capabilities, pattern, input, deadlineMs, traceparent } = frame;
  const task = { id: taskId, executionId, attempt, capability, capabilities, pattern, input, deadlineMs };
  return traceparent === undefined ? task : { ...task, traceparent };
}
