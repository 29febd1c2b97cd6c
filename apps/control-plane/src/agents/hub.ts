import type { Clock, Logger, Random } from "@parallax/core";
import { type AgentFrame, closeCodes, type HelloFrame, type NodeFrame } from "@parallax/protocol";
import type { NodeMessage } from "../node-messages.ts";
import { Allowance } from "./allowance.ts";
import { type Assignments, createAssignments } from "./assignments.ts";
import {
  AgentConnection,
  type AgentSocket,
  type AgentStream,
  beatMs,
  type ConnectionContext,
  faultsOfAll,
} from "./connection.ts";
import { createDepartures, type Departures } from "./departures.ts";
import { createFarewells } from "./farewells.ts";
import { createOutcomes } from "./outcomes.ts";
import { type Progress, progressOf } from "./progress.ts";
import type { TaskReports } from "./reports.ts";
import { renewTokenEveryMs } from "./resume-tokens.ts";
import type { Roster } from "./roster.ts";
import { createRounds } from "./rounds.ts";
import type { Session } from "./session.ts";
import type { Opened, Sessions } from "./sessions.ts";
import { welcomeFrame } from "./welcome.ts";

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
  readonly tell: (nodeId: string, message: NodeMessage) => void;
  readonly progress: Pick<Progress, "report">;
}

/** The agents that are connected to this node. */
export interface Hub {
  /** Takes a socket that was accepted at the upgrade, for the caller with this name, and the stream below it. */
  accept(socket: AgentSocket, caller: string, stream?: AgentStream): void;
  /** False when the agent is not connected here, or can't take a frame now. */
  send(agentId: string, frame: NodeFrame): boolean;
  has(agentId: string): boolean;
  /** What other nodes say of agents. */
  receive(message: NodeMessage): void;
  /** Tells all agents to go elsewhere, spread over `windowMs`, and closes those that stay; resolves when none is left or `signal` aborts. */
  drain(windowMs: number, signal: AbortSignal): Promise<void>;
  /** Asks idle agents to go elsewhere, a few at a time, while there are more than `share` here; for a while. */
  shed(share: number): void;
  /** Closes every connection whose caller is not known any more. */
  revoke(isKnown: (caller: string) => boolean): void;
  /** The store may have lost the sessions of those that are connected here, without which their tasks count as lost. */
  restore(): Promise<void>;
  /** Closes every connection; the agents come back, here or elsewhere. */
  sendAway(): void;
  /** Ends every connection at once. */
  terminate(): void;
  readonly size: number;
  /** The most that waits to be sent to one agent, in bytes. */
  readonly mostUnsentBytes: number;
}

/** A connection: whose token it came with, and the agent that it was welcomed as. */
interface Entry {
  readonly caller: string;
  session?: Session;
}

/** A look at the connections that comes later than this was kept from it, and so was what the agents sent. */
const tolerableLateMs = 2 * beatMs;

export function createHub(options: HubOptions): Hub {
  const { sessions, roster, reports, progress, nodeId, clock, random, logger } = options;
  const connected = new Map<string, Session>();
  const sockets = new Map<AgentConnection, Entry>();
  const assignments: Assignments = assignmentsOf(options);
  const isIdle = ({ agentId }: Session): boolean => roster.get(agentId)?.held.size === 0;
  const departures: Departures = createDepartures({ clock, random, connected, isIdle, onMoving: refile });
  const outcomes = createOutcomes({ reports, onAnswered: roster.release, onTaken: letGo, logger });
  const farewells = createFarewells(options);
  const rounds = createRounds({ clock, everyMs: beatMs, look });
  let draining = false;
  const context = contextOfConnections();

  function contextOfConnections(): ConnectionContext {
    return {
      ...{ clock, random, logger },
      faults: new Allowance(faultsOfAll),
      onHello: greet,
      onFrame(connection, frame) {
        const session = sockets.get(connection)?.session;
        // What an agent sends before its welcome it sends again after it.
        if (session) onFrame(session, frame);
      },
      onCongestion(connection, congested) {
        const session = sockets.get(connection)?.session;
        if (!session) return;
        session.congested = congested;
        refile(session);
      },
      onClose(connection) {
        const session = sockets.get(connection)?.session;
        sockets.delete(connection);
        rounds.delete(connection);
        if (session) closed(session);
        else if (connection.fault !== undefined)
          logger.warn("a connection was cut off before its agent was known", { fault: connection.fault });
      },
    };
  }

  function accept(socket: AgentSocket, caller: string, stream?: AgentStream): void {
    const connection = new AgentConnection(context, socket, stream);
    sockets.set(connection, { caller });
    rounds.add(connection);
    if (draining) turnAway(connection);
  }

  function greet(connection: AgentConnection, hello: HelloFrame): void {
    sessions
      .open(hello)
      .then((opened) => {
        const session = welcome(hello, opened, connection);
        if (!session) return;
        const entry = sockets.get(connection);
        if (!entry) {
          closed(session);
          return undefined;
        }
        entry.session = session;
        return connection.isOpen ? bring(session, hello) : undefined;
      })
      .catch((error: unknown) => {
        logger.warn("could not open an agent's session", { agent: hello.name, error });
        connection.close(closeCodes.internalError, "the session could not be opened; come back");
      });
  }

  function welcome(hello: HelloFrame, opened: Opened, connection: AgentConnection): Session | undefined {
    const stale =
      opened.outcome === "stale" || (connected.get(opened.agentId)?.counter ?? 0) > hello.connection;
    if (stale) {
      connection.close(closeCodes.replaced, "the session has a newer connection");
      return undefined;
    }
    const { agentId, resumeToken, resumed, leftNodeId } = opened;
    const session: Session = {
      agentId,
      name: hello.name,
      capabilities: hello.capabilities,
      metadata: hello.metadata,
      counter: hello.connection,
      connection,
      slots: hello.maxConcurrentTasks,
      draining: false,
      congested: false,
      moving: false,
      leaving: false,
      tokenAtMs: clock.now(),
    };
    connected.get(agentId)?.connection.close(closeCodes.replaced, "the session has a newer connection");
    connected.set(agentId, session);
    departures.arrived(agentId);
    if (leftNodeId !== undefined && leftNodeId !== nodeId)
      options.tell(leftNodeId, { type: "agent-moved", from: nodeId, agentId, connection: hello.connection });
    logger.info("agent connected", { agent: agentId, name: hello.name, resumed });
    connection.send(welcomeFrame({ ...options, agentId, resumeToken, resumed }));
    return session;
  }

  /** What the agent brings along takes its places before a free one is told of, and is then compared with the records. */
  async function bring(session: Session, { holding, owed }: HelloFrame): Promise<void> {
    const { agentId } = session;
    const known = new Set([...owed, ...holding.map(({ taskId }) => taskId)]);
    assignments.returned(agentId, (taskId) => known.has(taskId));
    refile(
      session,
      holding.map(({ taskId }) => taskId),
    );
    if (draining) departures.leave(session, random.next() * 500, closeCodes.serviceRestart);
    if (holding.length === 0) return;
    const standings = await reports.standings(agentId, holding);
    for (const [index, { taskId, attempt }] of holding.entries()) {
      if (standings[index] === "wanted") {
        assignments.give(agentId, taskId, attempt);
        reports.accepted(taskId, attempt);
      } else if (standings[index] === "superseded") {
        session.connection.send({ type: "cancel", taskId, reason: "superseded" });
        roster.release(agentId, taskId);
      }
    }
  }

  /** Whether the agent may be given tasks has changed. */
  function refile(session: Session, holding: readonly string[] = assignments.tasksOf(session.agentId)): void {
    const { agentId, capabilities, slots } = session;
    if (connected.get(agentId) !== session) return;
    if (draining || session.draining || session.congested || session.moving) roster.remove(agentId);
    else roster.put({ agentId, capabilities, slots, holding });
  }

  function onFrame(session: Session, frame: Exclude<AgentFrame, HelloFrame>): void {
    const { agentId, connection } = session;
    switch (frame.type) {
      case "accept":
        // An agent has a say only in what it was given, and once: each word goes to the owner, who may be elsewhere.
        if (!assignments.accept(agentId, frame.taskId, frame.attempt)) return;
        roster.hold(agentId, frame.taskId);
        reports.accepted(frame.taskId, frame.attempt);
        break;
      case "refuse":
        if (!assignments.has(agentId, frame.taskId, frame.attempt)) return;
        letGo(agentId, frame.taskId);
        reports.lost(frame.taskId, frame.attempt, true);
        break;
      case "result":
      case "failure":
        outcomes.take(session, frame);
        break;
      case "status":
        session.draining = frame.draining;
        session.slots = frame.maxConcurrentTasks;
        refile(session);
        break;
      case "goodbye":
        session.leaving = true;
        connection.close(closeCodes.normal, "goodbye");
        break;
      case "progress":
        if (!assignments.has(agentId, frame.taskId, frame.attempt)) return;
        progress.report(progressOf(frame, agentId));
        break;
    }
  }

  function letGo(agentId: string, taskId: string): void {
    assignments.settle(agentId, taskId);
    roster.release(agentId, taskId);
  }

  function closed(session: Session): void {
    const { agentId, name, leaving } = session;
    if (connected.get(agentId) !== session) return;
    connected.delete(agentId);
    roster.remove(agentId);
    const { fault } = session.connection;
    if (fault === undefined) logger.info("agent disconnected", { agent: agentId, name, left: leaving });
    else logger.warn("agent cut off", { agent: agentId, name, fault });
    farewells.note(session);
    if (leaving) assignments.giveUp(agentId);
    else assignments.await(agentId);
  }

  function look(connection: AgentConnection, lateMs: number): void {
    connection.beat(lateMs > tolerableLateMs ? lateMs : 0);
    const session = sockets.get(connection)?.session;
    if (session && clock.now() - session.tokenAtMs >= renewTokenEveryMs) renewToken(session, options);
  }

  function send(agentId: string, frame: NodeFrame): boolean {
    const session = connected.get(agentId);
    if (!session) return false;
    const sent = session.connection.send(frame);
    if (frame.type === "cancel") letGo(agentId, frame.taskId);
    if (frame.type !== "task") return sent;
    if (sent) assignments.give(agentId, frame.taskId, frame.attempt);
    // An agent that does not read gets nothing more; its task need not wait for it.
    else if (session.congested) reports.lost(frame.taskId, frame.attempt, true);
    return sent;
  }

  function receive(message: NodeMessage): void {
    if (message.type === "rebalance") departures.shed(message.share);
    if (message.type !== "agent-moved") return;
    const session = connected.get(message.agentId);
    // X10: the agent has a newer connection, so this one is dead though it looks open.
    if (session && session.counter < message.connection)
      session.connection.close(closeCodes.replaced, "the session has a newer connection");
  }

  async function drain(windowMs: number, signal: AbortSignal): Promise<void> {
    draining = true;
    for (const [connection, { session }] of sockets) if (!session) turnAway(connection);
    roster.clear();
    departures.leaveAll(windowMs);
    while (sockets.size > 0 && !signal.aborted) await clock.sleep(50, signal).catch(() => {});
  }

  return {
    ...{ accept, send, receive, drain, shed: departures.shed },
    has: (agentId) => connected.has(agentId),
    revoke(isKnown) {
      for (const [connection, { caller }] of sockets)
        if (!isKnown(caller)) connection.close(closeCodes.unauthorized, "the token is not valid any more");
    },
    restore: () => sessions.restore([...connected.values()]),
    sendAway() {
      for (const connection of sockets.keys())
        connection.close(closeCodes.internalError, "the node begins anew; come back");
    },
    terminate() {
      rounds.stop();
      assignments.stop();
      departures.stop();
      farewells.stop();
      for (const connection of sockets.keys()) connection.terminate();
    },
    get mostUnsentBytes() {
      return Math.max(0, ...[...sockets.keys()].map(({ unsentBytes }) => unsentBytes));
    },
    get size() {
      return connected.size;
    },
  };
}

function assignmentsOf(options: HubOptions): Assignments {
  const { clock, reconnectGraceMs, sessions, reports, nodeId, logger } = options;
  return createAssignments({
    clock,
    reconnectGraceMs,
    async whereIs(agentId) {
      const record = await sessions.get(agentId);
      // What says that it is here could not be changed when it went.
      return record?.status === "connected" && record.nodeId !== nodeId ? record.nodeId : undefined;
    },
    onLost: (taskId, attempt) => reports.lost(taskId, attempt, false),
    onUnknown: (agent, error) =>
      logger.warn("could not see whether an agent is back; looking again", { agent, error }),
  });
}

function turnAway(connection: AgentConnection): void {
  connection.close(closeCodes.serviceRestart, "the node drains");
}

/** The one of its welcome expires, and a connection may last longer. */
function renewToken(session: Session, { sessions, clock, logger }: HubOptions): void {
  session.tokenAtMs = clock.now();
  sessions
    .renewedToken(session.agentId)
    .then((resumeToken) => session.connection.send({ type: "token", resumeToken }))
    .catch((error: unknown) =>
      logger.warn("could not renew an agent's token; trying again", { agent: session.agentId, error }),
    );
}
