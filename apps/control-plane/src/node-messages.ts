import { z } from "zod";

const task = { taskId: z.string(), attempt: z.number().int() };

/**
 * What nodes tell each other. Every message is a hint (X2): one that is lost is sent again by its sender, or its receiver
 * finds out from the record.
 */
export const nodeMessageSchema = z.discriminatedUnion("type", [
  /** The sender's tasks want agents. Answered by `offer` as soon as one is free; forgotten unless asked again. */
  z.object({
    type: z.literal("ask"),
    from: z.string(),
    tasks: z.array(
      z.object({ taskId: z.string(), capabilities: z.array(z.string()), excluded: z.array(z.string()) }),
    ),
  }),
  /** The sender's tasks want no agents any more. */
  z.object({ type: z.literal("withdraw"), from: z.string(), taskIds: z.array(z.string()) }),
  /** An agent of the sender is held for the task, for a short while. */
  z.object({ type: z.literal("offer"), from: z.string(), taskId: z.string(), agentId: z.string() }),
  /** The offered agent is not needed. */
  z.object({ type: z.literal("release"), from: z.string(), taskId: z.string(), agentId: z.string() }),
  /** The assignment is journaled: send the task to the agent. The record has the rest. */
  z.object({
    type: z.literal("dispatch"),
    from: z.string(),
    ...task,
    agentId: z.string(),
    /** It may have been sent before. */
    again: z.boolean().optional(),
  }),
  z.object({
    type: z.literal("cancel-task"),
    from: z.string(),
    ...task,
    agentId: z.string(),
    reason: z.string(),
  }),
  /** The agent has the task. */
  z.object({ type: z.literal("accepted"), from: z.string(), ...task }),
  /** The attempt came to nothing: the agent refused it, or is gone for good. */
  z.object({ type: z.literal("lost"), from: z.string(), ...task, refused: z.boolean() }),
  /** There are new letters in the inbox of an execution of yours. */
  z.object({ type: z.literal("letters"), from: z.string(), executionId: z.string() }),
  /** Executions were handed to you: compare the index of what you own with your memory. */
  z.object({ type: z.literal("adopt"), from: z.string() }),
  /** The agent has a newer connection, to the sender: one that you have of it with a lower counter is dead (X10). */
  z.object({
    type: z.literal("agent-moved"),
    from: z.string(),
    agentId: z.string(),
    connection: z.number().int(),
  }),
  /** Executions whose streams are followed with the sender: what agents say of how far their tasks are is wanted there. */
  z.object({ type: z.literal("following"), from: z.string(), executionIds: z.array(z.string()) }),
  /** How far a task is, as its agent said. */
  z.object({
    type: z.literal("progress"),
    from: z.string(),
    ...task,
    agentId: z.string(),
    value: z.number().optional(),
    message: z.string().optional(),
  }),
  /** The leader says how many agents you should have at most. */
  z.object({ type: z.literal("rebalance"), from: z.string(), share: z.number().int() }),
  /** You lead: step down. You are to drain. */
  z.object({ type: z.literal("step-down"), from: z.string() }),
  z.object({ type: z.literal("drain"), from: z.string() }),
]);

export type NodeMessage = z.infer<typeof nodeMessageSchema>;

/** A message of one type, without its sender. */
export type MessageOf<Type extends NodeMessage["type"]> = Extract<NodeMessage, { type: Type }>;
