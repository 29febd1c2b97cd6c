import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Clock, randomId } from "@parallax/core";
import type { HelloFrame } from "@parallax/protocol";
import type { Collection, Stored } from "@parallax/state-store";
import type { AgentRecord } from "./record.ts";

export interface SessionsOptions {
  readonly agents: Collection<AgentRecord>;
  readonly nodeId: string;
  /** The name under which this process owns things. */
  readonly owner: () => string;
  readonly clock: Clock;
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
}

/** How often a session is read again when others write to it at the same time. */
const maxConflicts = 5;

export function createSessions(options: SessionsOptions): Sessions {
  const { agents, nodeId, owner, clock, reconnectGraceMs } = options;

  function recordOf(hello: HelloFrame, secret: string): AgentRecord {
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
      secretDigest: digest(secret),
    };
  }

  async function openNew(hello: HelloFrame): Promise<Opened> {
    const agentId = randomId("agent_");
    const secret = randomBytes(24).toString("base64url");
    const record = recordOf(hello, secret);
    await agents.create(agentId, record, { event: eventOf("agent-connected", agentId, record) });
    return { outcome: "open", agentId, resumeToken: secret, resumed: false };
  }

  async function resume(hello: HelloFrame, agentId: string, secret: string): Promise<Opened> {
    for (let conflicts = 0; conflicts < maxConflicts; conflicts += 1) {
      const stored = await agents.get(agentId);
      if (!stored || !matches(secret, stored.value.secretDigest)) return openNew(hello);
      if (stored.value.connection >= hello.connection) return { outcome: "stale" };
      const record = recordOf(hello, secret);
      const result = await agents.update(
        agentId,
        { set: record, unset: ["awayAt"] },
        { version: stored.version, expiresInMs: null, event: eventOf("agent-connected", agentId, record) },
      );
      if (result.outcome === "ok") return { outcome: "open", agentId, resumeToken: secret, resumed: true };
    }
    return openNew(hello);
  }

  /** The session, if this connection is still its newest. */
  async function ours(agentId: string, connection: number): Promise<Stored<AgentRecord> | undefined> {
    const stored = await agents.get(agentId);
    return stored?.value.connection === connection ? stored : undefined;
  }

  return {
    open(hello) {
      const { agentId, resumeToken } = hello;
      return agentId && resumeToken ? resume(hello, agentId, resumeToken) : openNew(hello);
    },
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
  };
}

function eventOf(type: string, id: string, record: AgentRecord): { type: string; [field: string]: unknown } {
  return { type, id, nodeId: record.nodeId, capabilities: record.capabilities };
}

function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function matches(secret: string, expectedDigest: string): boolean {
  return timingSafeEqual(Buffer.from(digest(secret)), Buffer.from(expectedDigest));
}
