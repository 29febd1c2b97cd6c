import { agentLimits, type WelcomeFrame } from "@parallax/protocol";

/** Agents that lost their node without a word come back spread over this time, in ms. */
const spreadMs = 5000;

export interface WelcomeOptions {
  readonly agentId: string;
  readonly nodeId: string;
  readonly resumeToken: string;
  readonly resumed: boolean;
  readonly maxPayloadBytes: number;
  readonly reconnectGraceMs: number;
}

/** What an agent is answered that has introduced itself. */
export function welcomeFrame(options: WelcomeOptions): WelcomeFrame {
  const { agentId, nodeId, resumeToken, resumed, maxPayloadBytes, reconnectGraceMs } = options;
  return {
    type: "welcome",
    agentId,
    nodeId,
    resumeToken,
    resumed,
    limits: { maxPayloadBytes },
    heartbeatMs: agentLimits.heartbeatMs,
    reconnect: { graceMs: reconnectGraceMs, spreadMs },
  };
}
