import {
  type Agent,
  type AgentPage,
  agentPageSchema,
  agentSchema,
  type ListAgentsQuery,
} from "@parallax/protocol";
import { type CallOptions, type Requester, signalOf, value } from "./request.ts";

const path = "/api/agents";

/** The agents of the cluster, on whichever node their sockets are. Ids are `agent_…`. */
export interface Agents {
  /** One page, newest connection first. */
  list(query?: ListAgentsQuery & CallOptions): Promise<AgentPage>;
  /** All pages. */
  all(query?: ListAgentsQuery & CallOptions): AsyncGenerator<Agent, void, undefined>;
  /** @throws ParallaxError `agent_not_found` */
  get(id: string, options?: CallOptions): Promise<Agent>;
}

export function createAgents(requester: Requester): Agents {
  function list({ signal, ...query }: ListAgentsQuery & CallOptions = {}): Promise<AgentPage> {
    const base = { what: "listing agents", method: "GET", path, query, repeatable: true } as const;
    return value(requester.call({ ...base, ...signalOf({ signal }), schema: agentPageSchema }));
  }

  return {
    list,
    async *all(query = {}) {
      let { cursor } = query;
      do {
        const page = await list({ ...query, cursor });
        yield* page.agents;
        cursor = page.cursor;
      } while (cursor !== undefined);
    },
    get(id, options = {}) {
      const one = `${path}/${encodeURIComponent(id)}`;
      const base = { what: `reading the agent ${id}`, method: "GET", path: one, repeatable: true } as const;
      return value(requester.call({ ...base, ...signalOf(options), schema: agentSchema }));
    },
  };
}
