/** The path of the agents' WebSocket. */
export const agentPath = "/ws/agent";

/** The WebSocket subprotocol of this version. An agent offers what it speaks, newest first; the node picks. */
export const agentSubprotocol = "parallax.agent.v1";

/** Bounds that both ends hold to; a node's own are in its `welcome`. */
export const agentLimits = {
  /** The longest frame, in bytes of UTF-8. */
  maxPayloadBytes: 1_048_576,
  /** How deep the arrays and objects of a frame may be nested. */
  maxNesting: 200,
  /** The most capabilities that an agent has, or a pattern asks for. */
  maxCapabilities: 64,
  /** The most tasks that an agent takes at once. */
  maxConcurrentTasks: 1000,
  /** The longest metadata that `hello` carries, in bytes of JSON: every list of agents shows it. */
  maxMetadataBytes: 16_384,
  /** The most results that `hello` names as owed. */
  maxOwed: 10_000,
  /** What a node reads from one connection besides answers to tasks, frames a second over time; the rest waits in the network. */
  framesPerSecond: 1000,
  /** And bytes a second. */
  bytesPerSecond: 4_194_304,
  /** How many frames that a node can't take it bears from one connection; one more is borne each second. */
  maxFaults: 100,
  /** How often a node pings, in milliseconds. */
  heartbeatMs: 15_000,
  /** A connection on which nothing arrived for this long, in milliseconds, is dead, at either end. */
  deadAfterMs: 25_000,
  /** How long a node waits for `hello`, and an agent for `welcome`, in milliseconds. */
  handshakeTimeoutMs: 10_000,
} as const;
