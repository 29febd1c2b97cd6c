import {
  type ClusterDiagnosis,
  type DrainResult,
  diagnoseCluster,
  drain,
  type EventTopic,
  elect,
  getClusterStatus,
  getHealth,
  getLiveness,
  getReadiness,
  type HaStatus,
  type Health,
  type LeaderChange,
  type StreamEvent,
  stepDown,
  streamEvents as streamEventsOperation,
} from "@parallax/protocol";
import { type Agents, createAgents } from "./agents.ts";
import { type EventOptions, streamEvents } from "./event-stream.ts";
import { createExecutions, type Executions } from "./executions.ts";
import { type ClientOptions, readOptions } from "./options.ts";
import { createPatterns, type Patterns } from "./patterns.ts";
import { type CallOptions, createRequester, requestOf, signalOf } from "./request.ts";

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
  /** What the answering node and the members that it reaches know about themselves. */
  diagnose(options?: CallOptions): Promise<ClusterDiagnosis>;
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
  return {
    executions: createExecutions(requester),
    agents: createAgents(requester),
    patterns: createPatterns(requester),
    health({ probe, ...call } = {}) {
      const operation = probes[probe ?? "overall"];
      // A node that does not do well says so with 503: asking again would only hide it.
      const base = { what: "reading the health", operation, input: {}, repeatable: false };
      return requester.call({ ...base, ...signalOf(call) });
    },
    haStatus(call = {}) {
      const what = "reading the cluster's status";
      const base = { what, operation: getClusterStatus, input: {}, repeatable: true };
      return requester.call({ ...base, ...signalOf(call) });
    },
    stepDown(call = {}) {
      const what = "asking the leader to step down";
      const base = { what, operation: stepDown, input: {}, repeatable: false, waitMs: electionMs };
      return requester.call({ ...base, ...signalOf(call) });
    },
    elect({ force = false, ...call } = {}) {
      const input = { body: { force } };
      const base = { what: "electing a leader", operation: elect, input, repeatable: false };
      return requester.call({ ...base, waitMs: electionMs, ...signalOf(call) });
    },
    diagnose(call = {}) {
      const what = "asking the nodes how they are";
      const base = { what, operation: diagnoseCluster, input: {}, repeatable: true };
      return requester.call({ ...base, ...signalOf(call) });
    },
    drain({ node, ...call } = {}) {
      const base = {
        what: "draining a node",
        operation: drain,
        input: { body: { node } },
        repeatable: false,
      };
      return requester.call({ ...base, ...signalOf(call) });
    },
    events({ topics, ...call } = {}) {
      const { path } = requestOf(streamEventsOperation, { query: { topics: topics?.join(",") } });
      return streamEvents(requester, { ...call, what: "following events", path, isLast: () => false });
    },
  };
}

const probes = { overall: getHealth, live: getLiveness, ready: getReadiness } as const;
