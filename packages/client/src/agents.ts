import { type Agent, type AgentPage, getAgent, type ListAgentsQuery, listAgents } from "@parallax/protocol";
import { allPages } from "./pages.ts";
import { type CallOptions, type Requester, signalOf } from "./request.ts";

/** The agents of the cluster, on whichever node their sockets are. Ids are `agent_…`. */
export interface Agents {
  /** One page, newest session first. */
  list(query?: ListAgentsQuery & CallOptions): Promise<AgentPage>;
  /** All pages. */
  all(query?: ListAgentsQuery & CallOptions): AsyncGenerator<Agent, void, undefined>;
  /** @throws ParallaxError `agent_not_found` */
  get(id: string, options?: CallOptions): Promise<Agent>;
}

export function createAgents(requester: Requester): Agents {
  function list({ signal, ...query }: ListAgentsQuery & CallOptions = {}): Promise<AgentPage> {
    const base = { what: "listing agents", operation: listAgents, input: { query }, repeatable: true };
    return requester.call({ ...base, ...signalOf({ signal }) });
  }

  return {
    list,
    all: (query = {}) =>
      allPages(
        query.cursor,
        (cursor) => list({ ...query, cursor }),
        (page) => page.agents,
      ),
    get(id, options = {}) {
      const what = `reading the agent ${id}`;
      const base = { what, operation: getAgent, input: { params: { id } }, repeatable: true };
      return requester.call({ ...base, ...signalOf(options) });
    },
  };
}
