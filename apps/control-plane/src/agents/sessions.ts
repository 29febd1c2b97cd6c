import { type Clock, type Random, randomId, systemRandom } from "@parallax/core";
import type { HelloFrame } from "@parallax/protocol";
import type { Collection, Stored } from "@parallax/state-store";
import type { AgentRecord } from "./record.ts";
import type { ResumeTokens } from "./resume-tokens.ts";
import type { Session } from "./session.ts";

export interface SessionsOptions {
  readonly agents: Collection<AgentRecord>;
  readonly tokens: ResumeTokens;
  readonly nodeId: string;
  /** The name under which this process owns things. */
  readonly owner: () => string;
  readonly clock: Clock;
  readonly random?: Random;
  /** How long a session outlives its connection, in ms. */
  readonly reconnectGraceMs: number;
}

/** What `hello` came to. `stale`: the session has a newer connection than this one (X10). */
export type Opened =
  | {
      readonly outcome: "open";
      readonly agentId: string;
      readonly resumeToken: string;
      readonly resumed: boolean;
      /** The node that the session was connected to, as far as its record knew: that connection is over. */
      readonly leftNodeId?: string;
    }
  | { readonly outcome: "stale" };

/**
 * The sessions of agents, in the store, so that any node resumes them. Every write is conditioned on the agent's own
 * connection counter, the one that notes a disconnect included (X10).
 */
export interface Sessions {
  open(hello: HelloFrame): Promise<Opened>;
  /** The connection is gone: the session may be resumed until its grace has passed. */
  away(agentId: string, connection: number): Promise<void>;
  /** The agent left for good. */
  end(agentId: string, connection: number): Promise<void>;
  get(agentId: string): Promise<AgentRecord | undefined>;
  /** Writes the sessions of connections anew that the store has lost; what is there stays as it is. */
  restore(connected: readonly Session[]): Promise<void>;
  /** Another token for a connection that lasts: the one of its welcome expires. */
  renewedToken(agentId: string): Promise<string>;
}

/** What of `hello` is kept of an agent. */
type Introduction = Pick<
  HelloFrame,
  "name" | "capabilities" | "maxConcurrentTasks" | "metadata" | "connection"
>;

/** How often a session is read again when others write to it at the same time. */
const maxConflicts = 5;

/** How many sessions are restored at a time. */
const restoredTogether = 100;

export function createSessions(options: SessionsOptions): Sessions {
  const { agents, tokens, nodeId, owner, clock, random = systemRandom, reconnectGraceMs } = options;

  function recordOf(hello: Introduction): AgentRecord {
    return {
      nodeId,
      capabilities: [...hello.capabilities],
      connectedAt: new Date(clock.wall()).toISOString(),
      name: hello.name,
      status: "connected",
      owner: owner(),
      maxConcurrentTasks: hello.maxConcurrentTasks,
      metadata: { ...hello.metadata },
      connection: hello.connection,
    };
  }

  async function openNew(hello: HelloFrame): Promise<Opened> {
    const agentId = randomId("agent_", random);
    const record = recordOf(hello);
    const resumeToken = await tokens.issue(agentId);
    await agents.create(agentId, record, { event: eventOf("agent-connected", agentId, record) });
    return { outcome: "open", agentId, resumeToken, resumed: false };
  }

  /**
   * The token proves whose the session is, also where its record has expired or the store has lost it: it goes on under its
   * id, so that what the agent still owes from before counts.
   */
  async function resume(hello: HelloFrame, agentId: string): Promise<Opened> {
    const resumeToken = await tokens.issue(agentId);
    const record = recordOf(hello);
    const event = eventOf("agent-connected", agentId, record);
    const open = { outcome: "open", agentId, resumeToken, resumed: true } as const;
    for (let conflicts = 0; conflicts < maxConflicts; conflicts += 1) {
      const stored = await agents.get(agentId);
      if (!stored) {
        const result = await agents.create(agentId, record, { event });
        if (result.outcome === "created") return open;
        continue;
      }
      if (stored.value.connection >= hello.connection) return { outcome: "stale" };
      const result = await agents.update(
        agentId,
        { set: record, unset: ["awayAt"] },
        { version: stored.version, expiresInMs: null, event },
      );
      const left = stored.value.status === "connected" ? { leftNodeId: stored.value.nodeId } : {};
      if (result.outcome === "ok") return { ...open, ...left };
    }
    return openNew(hello);
  }

  /** The session, if this connection is still its newest. */
  async function ours(agentId: string, connection: number): Promise<Stored<AgentRecord> | undefined> {
    const stored = await agents.get(agentId);
    return stored?.value.connection === connection ? stored : undefined;
  }

  return {
    async open(hello) {
      const { agentId, resumeToken } = hello;
      const isProven = agentId && resumeToken && (await tokens.verify(resumeToken, agentId));
      return isProven ? resume(hello, agentId) : openNew(hello);
    },
    renewedToken: (agentId) => tokens.issue(agentId),
    async away(agentId, connection) {
      await agents.update(
        agentId,
        { set: { status: "away", awayAt: new Date(clock.wall()).toISOString() }, unset: ["owner"] },
        {
          where: { connection },
          expiresInMs: reconnectGraceMs * 2,
          event: { type: "agent-disconnected", id: agentId, nodeId },
        },
      );
    },
    async end(agentId, connection) {
      const stored = await ours(agentId, connection);
      if (!stored) return;
      const event = { type: "agent-left", id: agentId, nodeId };
      await agents.delete(agentId, { version: stored.version, event });
    },
    get: async (agentId) => (await agents.get(agentId))?.value,
    async restore(connected) {
      for (let first = 0; first < connected.length; first += restoredTogether)
        await Promise.all(
          connected.slice(first, first + restoredTogether).map((session) => {
            const { agentId, slots, counter } = session;
            const record = recordOf({ ...session, maxConcurrentTasks: slots, connection: counter });
            return agents.create(agentId, record, { event: eventOf("agent-connected", agentId, record) });
          }),
        );
    },
  };
}

function eventOf(type: string, id: string, record: AgentRecord): { type: string; [field: string]: unknown } {
  return { type, id, nodeId: record.nodeId, capabilities: record.capabilities };
}
