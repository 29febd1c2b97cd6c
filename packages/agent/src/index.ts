export { type AgentEvent, type AgentEventOf, isEventOf } from "./agent-events.ts";
export type { Task, TaskAnswer, TaskContext, TaskHandler } from "./handler.ts";
export type { ParallaxAgentOptions } from "./options.ts";
export { ParallaxAgent } from "./parallax-agent.ts";
export type {
  Connection,
  Transport,
  TransportEnd,
  TransportListener,
  TransportOptions,
} from "./transport.ts";
export { webSocketTransport } from "./websocket.ts";
