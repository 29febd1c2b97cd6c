import { ParallaxError } from "@parallax/core";
import * as z from "zod";
import type { BusEvent, NodeMessage } from "./event-bus.ts";
import type { LogBatch, LogEntry, LogPage, LogPosition } from "./store.ts";

/** Nothing but its type is of interest, and it is not copied: this is where every event comes by. */
const event: z.ZodType<BusEvent> = z.custom<BusEvent>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    value.type !== "",
  "an event is an object with a type",
);
const sequence = z.int().nonnegative();

const batch = z.object({
  topic: z.string(),
  partition: z.int().nonnegative(),
  epoch: z.string(),
  events: z.array(z.object({ sequence, tag: z.string(), previous: z.string(), at: z.string(), event })),
});

const position = z.tuple([z.string().min(1), z.coerce.number().pipe(sequence), z.string()]);
const page = z.tuple([...position.def.items, z.array(z.string())]);
/** `41-0 tag previous 1763932799999 {"type":…}` */
const row = /^(\d{1,15})-0 (\w+) (\w*) (\d{1,15}) (.+)$/s;

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ParallaxError(
    "bad_envelope",
    `reading ${what}: ${z.prettifyError(result.error)}; find out who wrote it`,
    {
      cause: result.error,
    },
  );
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ParallaxError("bad_envelope", `reading ${what}: it is no JSON; find out who wrote it`, {
      cause,
    });
  }
}

/** A message of a topic's channel. @throws ParallaxError `bad_envelope`: anyone may publish anything there. */
export function parseBatch(payload: string): LogBatch {
  const { topic, partition, epoch, events } = parse(batch, parseJson(payload, "a channel"), "a channel");
  // What was appended together has the same time.
  let [at, atMs] = ["", Number.NaN];
  const entries = events.map((entry) => {
    if (entry.at !== at) [at, atMs] = [entry.at, Date.parse(entry.at)];
    return {
      sequence: entry.sequence,
      tag: entry.tag,
      previous: entry.previous,
      atMs,
      event: entry.event,
    };
  });
  return { topic, partition, epoch, entries };
}

/** A message to a node. @throws ParallaxError `bad_envelope` */
export function parseMessage(payload: string): NodeMessage {
  return parse(event, parseJson(payload, "a message"), "a message");
}

/** What the position script returns. @throws ParallaxError `bad_envelope` */
export function parsePosition(reply: unknown): LogPosition {
  const [epoch, top, tag] = parse(position, reply, "the top of a log");
  return { epoch, sequence: top, tag };
}

/**
 * What the read script returns. An entry that is none of ours is left out: its place is a hole, and holes are reported.
 * @throws ParallaxError `bad_envelope`
 */
export function parsePage(reply: unknown): LogPage {
  const [epoch, top, tag, rows] = parse(page, reply, "a page of a log");
  const entries = rows.flatMap((text) => parseEntry(text) ?? []);
  return { top: { epoch, sequence: top, tag }, entries };
}

function parseEntry(text: string): LogEntry | undefined {
  const [, number, tag, previous, at, json] = row.exec(text) ?? [];
  if (tag === undefined || previous === undefined || json === undefined) return undefined;
  try {
    const content = event.safeParse(JSON.parse(json));
    if (!content.success) return undefined;
    return { sequence: Number(number), tag, previous, atMs: Number(at), event: content.data };
  } catch {
    // It is no JSON, and so none of ours.
    return undefined;
  }
}
