import type { Agents } from "@parallax/client";
import { type Clock, isParallaxError, ParallaxError } from "@parallax/core";
import { CAPABILITY } from "./pattern.ts";

const POLL_INTERVAL_MS = 250;

/** Which agent is which: a task names the id of a session, a report names methods. */
export interface AgentNames {
  /** The name of the agent whose session this is; `undefined` once the cluster has forgotten it. */
  nameOf(agentId: string, signal?: AbortSignal): Promise<string | undefined>;
}

/** Asks the cluster once for each id. */
export function createAgentNames(agents: Pick<Agents, "get">): AgentNames {
  const known = new Map<string, Promise<string | undefined>>();
  const ask = async (id: string, signal?: AbortSignal): Promise<string | undefined> => {
    try {
      return (await agents.get(id, signal === undefined ? {} : { signal })).name;
    } catch (error) {
      // The session ended between its answer and our question: its answer counted all the same.
      if (isParallaxError(error, "agent_not_found")) return undefined;
      throw error;
    }
  };
  return {
    nameOf(agentId, signal) {
      const name = known.get(agentId) ?? ask(agentId, signal);
      known.set(agentId, name);
      return name;
    },
  };
}

export interface WaitForAgentsOptions {
  readonly agents: Pick<Agents, "all">;
  /** One connected agent of each name is waited for. */
  readonly names: readonly string[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until every name is connected. Submitting earlier would only make executions wait, and their time run.
 * @throws ParallaxError `agents_missing` with the missing names; `aborted`
 */
export async function waitForAgents(options: WaitForAgentsOptions): Promise<void> {
  const { agents, names, timeoutMs, clock, signal } = options;
  const startedMs = clock.now();
  for (;;) {
    const connected = new Set<string>();
    for await (const agent of agents.all({ capability: CAPABILITY, ...(signal && { signal }) })) {
      if (agent.status === "connected") connected.add(agent.name);
    }
    const missing = names.filter((name) => !connected.has(name));
    if (missing.length === 0) return;
    if (clock.now() - startedMs >= timeoutMs) throw agentsMissing(missing, timeoutMs);
    await clock.sleep(POLL_INTERVAL_MS, signal);
  }
}

function agentsMissing(missing: readonly string[], timeoutMs: number): ParallaxError {
  return new ParallaxError(
    "agents_missing",
    `waiting ${timeoutMs} ms for the agents of the audit failed, ${missing.join(", ")} did not connect; start them with PARALLAX_URL set to this cluster`,
    { details: { missing } },
  );
}
