import type { HelloFrame } from "@parallax/protocol";
import type { AgentConnection } from "./connection.ts";

/** An agent whose connection this node has welcomed. */
export interface Session {
  readonly agentId: string;
  readonly name: HelloFrame["name"];
  readonly capabilities: HelloFrame["capabilities"];
  readonly metadata: HelloFrame["metadata"];
  /** Which of the agent's connections this is (X10). */
  readonly counter: number;
  readonly connection: AgentConnection;
  slots: number;
  /** It takes no tasks now: it said so, it reads too slowly, or it was asked to move. */
  draining: boolean;
  congested: boolean;
  moving: boolean;
  /** It said goodbye. */
  leaving: boolean;
  tokenAtMs: number;
}
