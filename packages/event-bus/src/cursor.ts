import { ParallaxError } from "@parallax/core";
import type { Cursor } from "./event-bus.ts";
import type { LogPosition } from "./store.ts";

/** A place in one partition. `now` and `start` are those of a subscription that has not learned its position yet. */
export type CursorPart = LogPosition | "now" | "start";

const shape = /^([\w-]+)@([\w.,-]+)$/;
const partShape = /^(\w+)\.(\d{1,15})\.(\w*)$/;

function formatPart(part: CursorPart): string {
  return typeof part === "string" ? part : `${part.epoch}.${part.sequence}.${part.tag}`;
}

function parsePart(text: string): CursorPart | undefined {
  if (text === "now" || text === "start") return text;
  const [, epoch, sequence, tag] = partShape.exec(text) ?? [];
  if (epoch === undefined || tag === undefined) return undefined;
  return { epoch, sequence: Number(sequence), tag };
}

/** A cursor: the topic's name, and epoch, sequence and tag of each partition in order. */
export function formatCursor(topic: string, parts: readonly CursorPart[]): Cursor {
  return `${topic}@${parts.map(formatPart).join(",")}`;
}

/**
 * The places of a cursor, one for each partition of `topic`.
 * @throws ParallaxError `invalid_cursor` if it is none, belongs to another topic, or knows another number of partitions.
 */
export function parseCursor(topic: string, partitions: number, cursor: unknown): readonly CursorPart[] {
  const [, name, vector] = (typeof cursor === "string" && shape.exec(cursor)) || [];
  const parts = (vector ?? "").split(",").map(parsePart);
  const known = parts.filter((part) => part !== undefined);
  if (name === topic && known.length === parts.length && known.length === partitions) return known;
  const found = name === undefined ? "this is none" : `this is one of ${name} with ${parts.length}`;
  throw new ParallaxError(
    "invalid_cursor",
    `continuing topic ${topic} needs a cursor of that topic with ${partitions} partition(s), and ${found}; load a snapshot and start from now`,
    { details: { topic, partitions } },
  );
}
