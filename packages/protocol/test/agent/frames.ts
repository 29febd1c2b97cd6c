import type { AgentFrame, NodeFrame } from "../../src/index.ts";

const executionId = "exec_3k9x0c7m1v5q8b2n4t6w";
const taskId = `${executionId}:0`;
const task = { taskId, attempt: 1 };

/** Every frame of an agent, with every field that it can have. */
export const agentFrames: {
  readonly [Type in AgentFrame["type"]]: Required<Extract<AgentFrame, { type: Type }>>;
} = {
  hello: {
    type: "hello",
    name: "classifier-1",
    capabilities: ["classification", "analysis"],
    maxConcurrentTasks: 4,
    metadata: { zone: "a", gpus: 2 },
    agentId: "agent_8b2n4t6w3k9x0c7m1v5q",
    resumeToken: "secret",
    connection: 7,
    holding: [{ ...task, executionId }],
    owed: [`${executionId}:1`],
  },
  accept: { type: "accept", ...task },
  refuse: { type: "refuse", ...task, reason: "busy" },
  progress: { type: "progress", ...task, value: 0.5, message: "half way" },
  result: { type: "result", ...task, executionId, result: { label: "MIT" }, confidence: 0.9 },
  failure: {
    type: "failure",
    ...task,
    executionId,
    error: { code: "handler_failed", message: "no model", retryable: true },
  },
  status: { type: "status", maxConcurrentTasks: 2, draining: true },
  goodbye: { type: "goodbye" },
};

/** Every frame of a node, with every field that it can have. */
export const nodeFrames: {
  readonly [Type in NodeFrame["type"]]: Required<Extract<NodeFrame, { type: Type }>>;
} = {
  welcome: {
    type: "welcome",
    agentId: "agent_8b2n4t6w3k9x0c7m1v5q",
    nodeId: "parallax-control-plane-0",
    resumeToken: "secret",
    resumed: true,
    limits: { maxPayloadBytes: 1_048_576 },
    heartbeatMs: 15_000,
    reconnect: { graceMs: 30_000, spreadMs: 5_000 },
  },
  task: {
    type: "task",
    ...task,
    executionId,
    capabilities: ["classification"],
    pattern: "content-classifier",
    input: { content: "Permission is hereby granted" },
    deadlineMs: 29_000,
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  },
  ack: { type: "ack", ...task, outcome: "counted" },
  cancel: { type: "cancel", taskId, reason: "the execution was cancelled" },
  drain: { type: "drain", reconnectAfterMs: 1_500 },
  token: { type: "token", resumeToken: "another secret" },
  error: { type: "error", code: "invalid_frame", message: "reading a frame of type result: correct attempt" },
};
