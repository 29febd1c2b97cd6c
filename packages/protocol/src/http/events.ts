import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";
import { timestampSchema } from "../scalars.ts";
import { type Execution, executionSchema } from "./execution.ts";

/** Where events come from: the names after `parallax:events:`. */
export const eventTopics = ["execution", "agent", "cluster"] as const;

/** The name of a topic. */
export type EventTopic = (typeof eventTopics)[number];

const topicSchema = z.enum(eventTopics);

/** Something that happened. References, not payloads; further fields depend on `type`. */
export interface ClusterEvent {
  readonly topic: EventTopic;
  /** `execution-created`, `agent-connected`, `member-failed`, `leader-elected`, … More may follow: ignore what you don't know. */
  readonly type: string;
  readonly at: string;
  readonly [field: string]: unknown;
}

/** Checks a {@link ClusterEvent}. */
export const clusterEventSchema: z.ZodType<ClusterEvent> = z
  .looseObject({ topic: topicSchema, type: z.string(), at: timestampSchema })
  .meta({ id: "ClusterEvent", description: "Something that happened. Further fields depend on its type." });

/** Events that this reader will never see (E1): reload what they told about. */
export interface EventGap {
  readonly topic: EventTopic;
  readonly reason: string;
}

/** Checks an {@link EventGap}. */
export const eventGapSchema: ObjectSchema<EventGap> = z
  .object({ topic: topicSchema, reason: z.string() })
  .meta({ id: "EventGap", description: "Events that this reader will never see." });

/**
 * A server-sent event of `GET /api/events` and `GET /api/executions/:id/events`, by the name in its `event:` line. `id:`
 * carries the cursor for `Last-Event-ID`. `snapshot` is the execution as it is, in its own stream;
 * the final one ends that stream.
 */
export type StreamEvent =
  | { readonly kind: "event"; readonly event: ClusterEvent; readonly cursor: string | undefined }
  | { readonly kind: "gap"; readonly gap: EventGap; readonly cursor: string | undefined }
  | { readonly kind: "snapshot"; readonly execution: Execution; readonly cursor: string | undefined };

/** What a server-sent event says before its `data` is read. */
export interface RawStreamEvent {
  /** The `event:` line. */
  readonly name: string | undefined;
  /** The `id:` line. */
  readonly id: string | undefined;
  readonly data: string;
}

/** Reads a server-sent event; undefined for one of a kind that this version does not know. */
export function parseStreamEvent({ name, id, data }: RawStreamEvent): StreamEvent | undefined {
  const value = parseJson(data);
  const cursor = id === "" ? undefined : id;
  if (name === "event") {
    const parsed = clusterEventSchema.safeParse(value);
    return parsed.success ? { kind: "event", event: parsed.data, cursor } : undefined;
  }
  if (name === "gap") {
    const parsed = eventGapSchema.safeParse(value);
    return parsed.success ? { kind: "gap", gap: parsed.data, cursor } : undefined;
  }
  if (name === "snapshot") {
    const parsed = executionSchema.safeParse(value);
    return parsed.success ? { kind: "snapshot", execution: parsed.data, cursor } : undefined;
  }
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The query of `GET /api/events`. */
export interface EventsQuery {
  /** Topics, separated by commas. Default: all. */
  readonly topics?: string | undefined;
}

/** Checks an {@link EventsQuery}. */
export const eventsQuerySchema: ObjectSchema<EventsQuery> = z.strictObject({
  topics: z
    .string()
    .regex(
      /^(?:execution|agent|cluster)(?:,(?:execution|agent|cluster))*$/,
      "must be any of execution, agent, cluster, separated by commas",
    )
    .optional()
    .meta({ description: "Topics, separated by commas. Default: all.", examples: ["execution,cluster"] }),
});
