import { ParallaxError } from "@parallax/core";
import type { RedisReply } from "@parallax/redis";
import { z } from "zod";
import { newestRequest } from "./request-ids.ts";
import type { ChangeOutcome, StoredEvent, StoredFields } from "./store.ts";

function unexpected(what: string, reply: unknown): ParallaxError<"invalid_reply"> {
  const shown = JSON.stringify(reply)?.slice(0, 200);
  return new ParallaxError(
    "invalid_reply",
    `reading ${what}: Redis answered ${shown}; check that nothing else writes under the key prefix`,
  );
}

/** A list of texts. @throws ParallaxError `invalid_reply` */
export function readTexts(reply: RedisReply | undefined, what: string): readonly string[] {
  if (!Array.isArray(reply)) throw unexpected(what, reply);
  return reply.map((text: unknown) => (typeof text === "string" ? text : fail(what, text)));
}

/** A list of replies. @throws ParallaxError `invalid_reply` */
export function readList(reply: RedisReply | undefined, what: string): readonly RedisReply[] {
  if (typeof reply === "object" && reply !== null) return reply;
  throw unexpected(what, reply);
}

/** A number, or a text that is one. @throws ParallaxError `invalid_reply` */
export function readNumber(reply: RedisReply | undefined, what: string): number {
  const value =
    typeof reply === "number" || (typeof reply === "string" && reply !== "") ? Number(reply) : NaN;
  if (Number.isNaN(value)) throw unexpected(what, reply);
  return value;
}

function fail(what: string, reply: unknown): never {
  throw unexpected(what, reply);
}

/** Fields and texts that alternate. */
export function readPairs(reply: RedisReply | undefined, what: string): Map<string, string> {
  const texts = readTexts(reply, what);
  const pairs = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length; at += 2) pairs.set(texts[at] ?? "", texts[at + 1] ?? "");
  return pairs;
}

/** A record from its hash: fields of ours begin with an underscore. Undefined where there is none. */
export function readRecord(id: string, reply: RedisReply | undefined): StoredFields | undefined {
  const fields = readPairs(reply, id);
  const version = fields.get("_v");
  if (version === undefined) return undefined;
  const expires = fields.get("_expires");
  return {
    id,
    version: readNumber(version, `the version of ${id}`),
    createdAtMs: readNumber(fields.get("_created"), `the creation of ${id}`),
    updatedAtMs: readNumber(fields.get("_updated"), `the last change of ${id}`),
    expiresAtMs: expires === undefined ? undefined : readNumber(expires, `the expiry of ${id}`),
    schema: readNumber(fields.get("_schema") ?? 1, `the schema of ${id}`),
    madeBy: newestRequest(fields.get("_rid") ?? ""),
    fields: Object.fromEntries([...fields].filter(([field]) => !field.startsWith("_"))),
  };
}

const logEntry = z.object({ sequence: z.int(), at: z.string(), event: z.unknown() });

/** An entry of a record's own log. */
export function readEvent(text: string): StoredEvent {
  const parsed = logEntry.safeParse(JSON.parse(text));
  if (!parsed.success) throw unexpected("an entry of a record's log", text);
  const { sequence, at, event } = parsed.data;
  return { sequence, atMs: Date.parse(at), json: JSON.stringify(event) };
}

function refusal(reason: string): ChangeOutcome {
  if (reason.includes("OOM")) return { outcome: "refused", code: "store_full", reason };
  if (reason.includes("WRONGTYPE")) return { outcome: "refused", code: "wrong_type", reason };
  return { outcome: "refused", code: "redis_reply", reason };
}

/** The answer to one change, see `mutateScript`. */
export function readOutcome(
  reply: RedisReply | undefined,
  nowMs: number,
  id: string,
  op: string,
): ChangeOutcome {
  if (typeof reply === "number") {
    return op === "deposit"
      ? { outcome: "deposited" }
      : { outcome: "ok", version: reply, storeTimeMs: nowMs };
  }
  const [name, first, second] = readList(reply, id);
  switch (name) {
    case "ok":
      return { outcome: "ok", version: readNumber(first, id), storeTimeMs: readNumber(second, id) };
    case "exists":
      return { outcome: "exists", record: readRecord(id, first) ?? fail(id, reply) };
    case "occupied":
      return { outcome: "occupied", value: typeof first === "string" ? first : fail(id, reply) };
    case "fenced":
      return { outcome: "fenced", fence: readNumber(first, id) };
    case "conflict":
    case "final":
      return { outcome: name, version: readNumber(first, id) };
    case "missing":
    case "forgotten":
      return { outcome: name };
    case "schema":
      return { outcome: "schema", schema: readNumber(first, id) };
    case "full":
      return { outcome: "refused", code: "inbox_full", reason: `${String(first)} bytes are in it` };
    case "refused":
      return refusal(String(first));
    default:
      throw unexpected(id, reply);
  }
}
