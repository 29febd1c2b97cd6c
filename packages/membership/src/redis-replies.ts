import { ParallaxError } from "@parallax/core";
import type { RedisReply } from "@parallax/redis";
import type { Member, MemberReport, MemberStatus, View } from "./membership.ts";
import { compareIds } from "./order.ts";
import type { Transition } from "./table.ts";

/** What came back from Redis is read with care: anyone may write there. @throws ParallaxError `redis_reply` */
function refuse(what: string, found: unknown): never {
  const message = `reading the members from Redis: expected ${what}; look at the keys under ha: with redis-cli, or delete them and let the nodes join anew`;
  throw new ParallaxError("redis_reply", message, { details: { found: String(found).slice(0, 200) } });
}

export function list(reply: RedisReply | undefined): readonly RedisReply[] {
  return Array.isArray(reply) ? reply : refuse("a list", reply);
}

function text(reply: unknown): string {
  return typeof reply === "string" ? reply : refuse("a text", reply);
}

export function number(reply: unknown): number {
  const value = typeof reply === "string" && reply !== "" ? Number(reply) : reply;
  return typeof value === "number" && Number.isFinite(value) ? value : refuse("a number", reply);
}

type JsonObject = { readonly [field: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function json(reply: unknown): JsonObject {
  try {
    const value: unknown = JSON.parse(text(reply));
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return refuse("a JSON object", reply);
}

/** `[a, b]` as incarnation and address; undefined for null. */
export function processOf(
  reply: RedisReply | undefined,
): { readonly incarnation: string; readonly address: string } | undefined {
  if (reply === null || reply === undefined) return undefined;
  const [incarnation, address] = list(reply);
  return { incarnation: text(incarnation), address: text(address) };
}

const endReasons = { failed: "failed", replaced: "replaced", removed: "removed" } as const;
const statuses = { healthy: "healthy", suspect: "suspect", failed: "failed", draining: "draining" } as const;
const transitions = {
  joined: "joined",
  suspected: "suspected",
  recovered: "recovered",
  failed: "failed",
  draining: "draining",
  left: "left",
  removed: "removed",
  replaced: "replaced",
} as const;

/** The value of a table under a key that came from outside. */
function known<Value>(table: Readonly<Record<string, Value>>, key: unknown): Value {
  const value = Object.hasOwn(table, text(key)) ? table[text(key)] : undefined;
  return value ?? refuse(`one of ${Object.keys(table).join(", ")}`, key);
}

export function endReason(reply: RedisReply | undefined): keyof typeof endReasons {
  return known(endReasons, reply);
}

/** The reply of `view_reply` in the scripts. */
export function viewOfReply(reply: RedisReply | undefined, observedAtMs: number): View {
  const [epoch, version, rows, beats, reports] = list(reply);
  const beatOf = pairs(beats);
  const reportOf = pairs(reports);
  const members = [...pairs(rows)].map(([id, row]) =>
    memberOf(id, json(row), beatOf.get(id), reportOf.get(id)),
  );
  members.sort((left, right) => compareIds(left.id, right.id));
  return { epoch: text(epoch), version: number(version), members, observedAtMs };
}

function pairs(reply: RedisReply | undefined): Map<string, string> {
  const flat = list(reply);
  const found = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2)
    found.set(text(flat[index]), text(flat[index + 1]));
  return found;
}

function memberOf(id: string, row: JsonObject, beat: string | undefined, report: string | undefined): Member {
  const status: MemberStatus = known(statuses, row.status);
  return {
    id,
    incarnation: text(row.incarnation),
    address: text(row.address),
    zone: row.zone === undefined ? undefined : text(row.zone),
    status,
    joinedAtMs: number(row.joinedAt),
    lastBeatAtMs: number(beat),
    report: reportOf(json(report)),
  };
}

function reportOf({ leading, capacity, facts }: JsonObject): MemberReport {
  const claim = isObject(leading)
    ? { term: number(leading.term), remainingMs: number(leading.remainingMs) }
    : undefined;
  return { leading: claim, capacity: numbers(capacity), facts: factsOf(facts) };
}

function numbers(value: unknown): Record<string, number> {
  if (!isObject(value)) return refuse("an object of numbers", value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, number(each)]));
}

function factsOf(value: unknown): MemberReport["facts"] {
  if (!isObject(value)) return refuse("an object of facts", value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, factOf(each)]));
}

function factOf(value: unknown): string | number | boolean | readonly string[] {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return Array.isArray(value) ? value.map(text) : refuse("a text, number, boolean or list of texts", value);
}

/** `[type, member, incarnation, version]`. */
export function transitionOf(reply: RedisReply, epoch: string): Transition {
  const [type, member, incarnation, version] = list(reply);
  return {
    type: known(transitions, type),
    member: text(member),
    incarnation: text(incarnation),
    epoch,
    version: number(version),
  };
}

/** An entry of the log, `[<version>-0, [type, …, member, …, incarnation, …]]`. */
export function logEntryOf(reply: RedisReply, epoch: string): Transition {
  const [id, fields] = list(reply);
  const entry = pairs(fields);
  const version = Number.parseInt(text(id), 10);
  return transitionOf(
    [text(entry.get("type")), text(entry.get("member")), text(entry.get("incarnation")), version],
    epoch,
  );
}
