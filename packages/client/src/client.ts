import {
  type DrainResult,
  drainResultSchema,
  type EventTopic,
  type HaStatus,
  type Health,
  haStatusSchema,
  healthSchema,
  type LeaderChange,
  leaderChangeSchema,
  type StreamEvent,
} from "@parallax/protocol";
import { type Agents, createAgents } from "./agents.ts";
import { type EventOptions, streamEvents } from "./event-stream.ts";
import { createExecutions, type Executions } from "./executions.ts";
import { type ClientOptions, readOptions } from "./options.ts";
import { createPatterns, type Patterns } from "./patterns.ts";
import { type CallOptions, createRequester, signalOf, value, withQuery } from "./request.ts";

/** How long an election may take, beyond the client's own time-out, in milliseconds: a lease has to expire first. */
const electionMs = 60_000;

/**
 * A typed client of a cluster.
 *
 * Every call that may be repeated fails over to the next address, and is tried again after a pause, when a connection fails
 * or a node is busy; a change of leader and a drain are asked for once. All calls throw `ParallaxError`: with the server's
 * own code, or `unreachable`, `timeout`, `aborted`, `invalid_response`, `http_error`.
 */
export interface ParallaxClient {
  readonly executions: Executions;
  readonly agents: Agents;
  readonly patterns: Patterns;
  /** How the answering node does: overall, `live` or `ready`. A failing node's answer is an answer, not an error. */
  health(options?: CallOptions & { readonly probe?: "live" | "ready" }): Promise<Health>;
  /** Who is in the cluster and who leads. */
  haStatus(options?: CallOptions): Promise<HaStatus>;
  /** The leader gives up its lease. @throws ParallaxError `no_standby` if no healthy standby is there, and nothing has changed. */
  stepDown(options?: CallOptions): Promise<LeaderChange>;
  /** A new leader: asks the holder to step down and waits; with `force` deposes it, fenced, even if it cannot be reached. */
  elect(options?: CallOptions & { readonly force?: boolean }): Promise<LeaderChange>;
  /** Drains a node. Default: the one that answers. */
  drain(options?: CallOptions & { readonly node?: string }): Promise<DrainResult>;
  /** What happens in the cluster, without an end. */
  events(
    options?: EventOptions & { readonly topics?: readonly EventTopic[] },
  ): AsyncGenerator<StreamEvent, void, undefined>;
}

/**
 * Makes a client. It keeps no connection of its own: there is nothing to close.
 *
 * @throws ParallaxError `invalid_url`, `invalid_duration`
 * @example
 * const client = createClient({ url: "http://localhost:8080", token: process.env.PARALLAX_TOKEN });
 * const execution = await client.executions.run({ pattern: "content-classifier", input: { content: "…" } });
 */
export function createClient(options: ClientOptions = {}): ParallaxClient {
  const requester = createRequester(readOptions(options));
  const leaderChange = (
    what: string,
    path: string,
    body: object,
    call: CallOptions,
  ): Promise<LeaderChange> => {
    const base = { what, method: "POST", path, body, repeatable: false, waitMs: electionMs } as const;
    return value(requester.call({ ...base, ...signalOf(call), schema: leaderChangeSchema }));
  };

  return {
    executions: createExecutions(requester),
    agents: createAgents(requester),
    patterns: createPatterns(requester),
    health({ probe, ...call } = {}) {
      const path = probe === undefined ? "/health" : `/health/${probe}`;
      // 503 is what a node says of itself here: asking again would only hide it.
      const base = {
        what: "reading the health",
        method: "GET",
        path,
        repeatable: false,
        alsoGood: [503],
      } as const;
      return value(requester.call({ ...base, ...signalOf(call), schema: healthSchema }));
    },
    haStatus(call = {}) {
      const base = {
        what: "reading the cluster's status",
        method: "GET",
        path: "/ha/status",
        repeatable: true,
      } as const;
      return value(requester.call({ ...base, ...signalOf(call), schema: haStatusSchema }));
    },
    stepDown: (call = {}) => leaderChange("asking the leader to step down", "/ha/stepdown", {}, call),
    elect: ({ force = false, ...call } = {}) =>
      leaderChange("electing a leader", "/ha/elect", { force }, call),
    drain({ node, ...call } = {}) {
      const body = node === undefined ? {} : { node };
      const base = {
        what: "draining a node",
        method: "POST",
        path: "/ha/drain",
        body,
        repeatable: false,
      } as const;
      return value(requester.call({ ...base, ...signalOf(call), schema: drainResultSchema }));
    },
    events({ topics, ...call } = {}) {
      const path = withQuery("/api/events", { topics: topics?.join(",") });
      return streamEvents(requester, { ...call, what: "following events", path, isLast: () => false });
    },
  };
}
