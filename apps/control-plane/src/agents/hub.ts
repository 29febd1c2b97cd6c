import { type CancelTimer, type Clock, isParallaxError, type Logger, type Random } from "@parallax/core";
import {
  type AgentFrame,
  agentLimits,
  closeCodes,
  type FailureFrame,
  type HelloFrame,
  type NodeFrame,
  type ResultFrame,
} from "@parallax/protocol";
import type { WebSocket } from "ws";
import type { Letter } from "../executions/inbox.ts";
import { type AgentConnection, createAgentConnection } from "./connection.ts";
import type { Roster } from "./roster.ts";
import type { Sessions } from "./sessions.ts";

/** What became of a letter: the words in which the agent is told. */
export type Receipt = "counted" | "superseded" | "unknown";

/** What the agents of this node report about tasks. */
export interface TaskReports {
  accepted(taskId: string, attempt: number): void;
  /** The agent refused the attempt, or is gone for good. */
  lost(taskId: string, attempt: number, refused: boolean): void;
  /** Puts the letter into the execution's inbox. Resolves once it is there for good; only then is the agent told (X5). */
  deliver(letter: Letter & { readonly taskId: string }): Promise<Receipt>;
}

export interface HubOptions {
  readonly sessions: Sessions;
  readonly roster: Roster;
  readonly reports: TaskReports;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly reconnectGraceMs: number;
  readonly maxPayloadBytes: number;
}

/** The agents that are connected to this node. */
export interface Hub {
  /** Takes a socket that was accepted at the upgrade. */
  accept(socket: WebSocket): void;
  /** False when the agent is not connected here, or can't take a frame now. */
  send(agentId: string, frame: NodeFrame): boolean;
  has(agentId: string): boolean;
  /** Tells all agents to go elsewhere, spread over `windowMs`, and closes them; resolves when none is left or `signal` aborts. */
  drain(windowMs: number, signal: AbortSignal): Promise<void>;
  /** Closes every connection; the agents come back, here or elsewhere. */
  sendAway(): void;
  /** Ends every connection at once. */
  terminate(): void;
  readonly size: number;
}

interface Session {
  readonly agentId: string;
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly counter: number;
  readonly connection: AgentConnection;
  leaving: boolean;
}

/** Agents that lost their node without a word come back spread over this time, in ms. */
const spreadMs = 5000;

export function createHub(options: HubOptions): Hub {
  const { sessions, roster, reports, nodeId, clock, random, logger, reconnectGraceMs, maxPayloadBytes } =
    options;
  const connected = new Map<string, Session>();
  const sockets = new Set<AgentConnection>();
  /** Attempts that agents of this node work on, by task id. */
  const attempts = new Map<string, { readonly agentId: string; readonly attempt: number }>();
  /** What is due later, which ends with the node. */
  const waits = new Set<CancelTimer>();
  let draining = false;
  let ended = false;

  function accept(socket: WebSocket): void {
    let session: Session | undefined;
    const connection: AgentConnection = createAgentConnection({
      socket,
      clock,
      random,
      logger,
      onHello(hello) {
        open(hello, connection)
          .then((opened) => {
            session = opened;
            if (opened && socket.readyState !== socket.OPEN) closed(opened);
          })
          .catch((error: unknown) => {
            logger.warn("could not open an agent's session", { agent: hello.name, error });
            connection.close(closeCodes.internalError, "the session could not be opened; come back");
          });
      },
      onFrame(frame) {
        // What an agent sends before its welcome it sends again after it.
        if (session) onFrame(session, frame);
      },
      onClose() {
        sockets.delete(connection);
        if (session) closed(session);
      },
    });
    sockets.add(connection);
  }

  async function open(hello: HelloFrame, connection: AgentConnection): Promise<Session | undefined> {
    const opened = await sessions.open(hello);
    if (opened.outcome === "stale") {
      connection.close(closeCodes.replaced, "the session has a newer connection");
      return undefined;
    }
    const { agentId, resumeToken, resumed } = opened;
    const session: Session = {
      agentId,
      name: hello.name,
      capabilities: hello.capabilities,
      counter: hello.connection,
      connection,
      leaving: false,
    };
    connected.get(agentId)?.connection.close(closeCodes.replaced, "the session has a newer connection");
    connected.set(agentId, session);
    logger.info("agent connected", { agent: agentId, name: hello.name, resumed });
    connection.send({
      type: "welcome",
      agentId,
      nodeId,
      resumeToken,
      resumed,
      limits: { maxPayloadBytes },
      heartbeatMs: agentLimits.heartbeatMs,
      reconnect: { graceMs: reconnectGraceMs, spreadMs },
    });
    const { capabilities, maxConcurrentTasks: slots } = hello;
    const holding = hello.holding.map(({ taskId }) => taskId);
    if (!draining) roster.put({ agentId, capabilities, slots, holding });
    for (const { taskId, attempt } of hello.holding) {
      hold(agentId, taskId, attempt);
      reports.accepted(taskId, attempt);
    }
    return session;
  }

  function hold(agentId: string, taskId: string, attempt: number): void {
    attempts.set(taskId, { agentId, attempt });
    roster.hold(agentId, taskId);
  }

  function letGo(agentId: string, taskId: string): void {
    if (attempts.get(taskId)?.agentId === agentId) attempts.delete(taskId);
    roster.release(agentId, taskId);
  }

  function onFrame(session: Session, frame: Exclude<AgentFrame, HelloFrame>): void {
    const { agentId, connection } = session;
    switch (frame.type) {
      case "accept":
        hold(agentId, frame.taskId, frame.attempt);
        reports.accepted(frame.taskId, frame.attempt);
        break;
      case "refuse":
        letGo(agentId, frame.taskId);
        reports.lost(frame.taskId, frame.attempt, true);
        break;
      case "result":
      case "failure":
        void takeOutcome(session, frame);
        break;
      case "status":
        if (frame.draining) roster.remove(agentId);
        else roster.put({ agentId, capabilities: session.capabilities, slots: frame.maxConcurrentTasks });
        break;
      case "goodbye":
        session.leaving = true;
        connection.close(closeCodes.normal, "goodbye");
        break;
      case "progress":
        break;
    }
  }

  async function takeOutcome(session: Session, frame: ResultFrame | FailureFrame): Promise<void> {
    const { agentId, name } = session;
    const { taskId, attempt } = frame;
    const about = { taskId, attempt, agentId };
    const letter: Letter & { taskId: string } =
      frame.type === "result"
        ? {
            kind: "result",
            ...about,
            agentName: name,
            result: frame.result,
            ...(frame.confidence === undefined ? {} : { confidence: frame.confidence }),
          }
        : {
            kind: "failure",
            ...about,
            error: { code: frame.error.code, message: frame.error.message },
            retryable: frame.error.retryable,
          };
    try {
      const outcome = await reports.deliver(letter);
      letGo(agentId, taskId);
      session.connection.send({ type: "ack", taskId, attempt, outcome });
    } catch (error) {
      // Not acknowledged, so the agent sends it again (X5).
      if (!isParallaxError(error)) throw error;
      logger.warn("could not take an agent's result; it will come again", { task: taskId, error });
    }
  }

  function closed(session: Session): void {
    const { agentId } = session;
    if (connected.get(agentId) !== session) return;
    connected.delete(agentId);
    const held = [...attempts].filter(([, entry]) => entry.agentId === agentId);
    roster.remove(agentId);
    logger.info("agent disconnected", { agent: agentId, name: session.name, left: session.leaving });
    const noted = session.leaving
      ? sessions.end(agentId, session.counter)
      : sessions.away(agentId, session.counter);
    noted.catch((error: unknown) =>
      logger.warn("could not note an agent's disconnect", { agent: agentId, error }),
    );
    for (const [taskId, { attempt }] of held) {
      if (session.leaving) giveUp(agentId, taskId, attempt);
      else waitForReturn(agentId, taskId, attempt);
    }
  }

  /** Later, unless the node is gone by then. */
  function later(ms: number, act: () => void): void {
    if (ended) return;
    const cancel = clock.after(ms, () => {
      waits.delete(cancel);
      act();
    });
    waits.add(cancel);
  }

  function waitForReturn(agentId: string, taskId: string, attempt: number): void {
    later(reconnectGraceMs, () => giveUpUnlessBack(agentId, taskId, attempt));
  }

  function giveUp(agentId: string, taskId: string, attempt: number): void {
    const entry = attempts.get(taskId);
    if (entry?.agentId !== agentId || entry.attempt !== attempt) return;
    attempts.delete(taskId);
    reports.lost(taskId, attempt, false);
  }

  /** The grace is over: unless the agent is back here, or its session says that another node has it. */
  function giveUpUnlessBack(agentId: string, taskId: string, attempt: number): void {
    if (connected.has(agentId)) return;
    sessions
      .get(agentId)
      .then((record) => {
        if (record?.status === "connected") attempts.delete(taskId);
        else giveUp(agentId, taskId, attempt);
      })
      .catch((error: unknown) => {
        logger.warn("could not see whether an agent is back; looking again", { agent: agentId, error });
        waitForReturn(agentId, taskId, attempt);
      });
  }

  return {
    accept,
    send: (agentId, frame) => connected.get(agentId)?.connection.send(frame) ?? false,
    has: (agentId) => connected.has(agentId),
    async drain(windowMs, signal) {
      draining = true;
      const leaving = [...connected.values()];
      for (const session of leaving) roster.remove(session.agentId);
      leaving.forEach((session, index) => {
        const afterMs = (windowMs * index) / leaving.length;
        session.connection.send({ type: "drain", reconnectAfterMs: random.next() * 500 });
        later(afterMs, () => session.connection.close(closeCodes.serviceRestart, "the node drains"));
      });
      while (connected.size > 0 && !signal.aborted) await clock.sleep(50, signal).catch(() => {});
    },
    sendAway() {
      for (const connection of sockets)
        connection.close(closeCodes.internalError, "the node begins anew; come back");
    },
    terminate() {
      ended = true;
      for (const cancel of waits) cancel();
      waits.clear();
      for (const connection of sockets) connection.terminate();
    },
    get size() {
      return connected.size;
    },
  };
}
