/**
 * Why a node closes an agent's WebSocket. After 4000–4499 the agent comes back, after 4500–4999 it does not, unless it still
 * owes results: then it comes back in a new session. The codes of RFC 6455 keep their meaning, and after them an agent
 * comes back as well.
 */
export const closeCodes = {
  /** The agent said `goodbye`. */
  normal: 1000,
  /** The node drains: connect again after what `drain` said. */
  serviceRestart: 1012,
  /** Something failed inside the node. */
  internalError: 4000,
  /** No `hello` in time. */
  handshakeTimeout: 4001,
  /** The cluster wants this agent on another node. */
  rebalance: 4003,
  /** The agent reads too slowly: the node's buffer for it is full. */
  tooSlow: 4408,
  /** The agent sends too much that is no frame. */
  tooMany: 4429,
  /** A frame that this version does not allow where it came. */
  protocolError: 4500,
  /** The token is not valid (any more), or not one of an agent. */
  unauthorized: 4501,
  /** No common version: see `agentSubprotocol`. */
  unsupportedVersion: 4505,
  /** The same session has a newer connection (X10). */
  replaced: 4509,
} as const;

/** The name of a {@link closeCodes} entry. */
export type CloseReason = keyof typeof closeCodes;

/** Whether an agent that was closed with `code` connects again even if it owes nothing. */
export function comesBack(code: number): boolean {
  return code < 4500 || code > 4999;
}
