import { appendEventsLua, defineScript, nowLua, type Script } from "@parallax/redis";
import { applyLua } from "./lua/apply.ts";
import { callLua } from "./lua/call.ts";
import { changeLua } from "./lua/change.ts";
import { createLua } from "./lua/create.ts";
import { deleteLua } from "./lua/delete.ts";
import { depositLua } from "./lua/deposit.ts";
import { entriesLua } from "./lua/entries.ts";
import { eventsLua } from "./lua/events.ts";
import { migrateLua } from "./lua/migrate.ts";
import { recordLua } from "./lua/record.ts";
import { requestsLua } from "./lua/requests.ts";
import { updateLua } from "./lua/update.ts";

/**
 * Applies changes of one collection and partition, each as one step (S1).
 *
 * KEYS: fence, index, expiry; with a topic its meta and log; then for each change the record, its inbox (deposit, delete, and
 * an update with deposits), its log (delete, and with an event where records have logs), its tombstone (create, update, delete).
 *
 * ARGV: topic (empty: none), channel, partition, epoch candidate, entries and milliseconds that the topic's log keeps, entries
 * of a record's log, bytes of an inbox, schema, 1 if replicas are waited for, on a repetition the store time since which it may
 * have been made, index fields (separated by spaces), number of final values with a field and a value each, number of changes;
 * then for each change a head `op request tags version sets` (tags separated by commas; the version perhaps as `<version>/<request that
 * led to it>/`), and where one of these is needed ` fence expiry unsets wheres absents extra` behind it (`-`: none);
 * its id; for each tag an event without its last brace; and as many fields and texts, fields, fields and texts, fields, as the
 * head says; of an update at last as many deposits, keys and texts, as its `extra` says.
 *
 * Returns the store time and an answer each: the version when it was applied now, 0 for a deposit, else
 * `["ok", version, time]`, `["exists", fields]`, `["occupied", value]`, `["fenced", fence]`, `["conflict", version]`,
 * `["final", version]`, `["missing"]`, `["forgotten"]`, `["schema", version]`, `["full", bytes]`, `["refused", error]`.
 *
 * Slot: every key is one of the partition's.
 */
export const mutateScript: Script = defineScript({
  name: "state-store.mutate",
  readOnly: false,
  lua: [
    // What all changes of a call share, and what a record is.
    ...[nowLua, appendEventsLua, callLua, requestsLua, recordLua],
    // One change: its arguments and conditions, its entries, its events.
    ...[changeLua, entriesLua, eventsLua],
    // What each kind of change does, and what is looked at before.
    ...[createLua, updateLua, deleteLua, depositLua, migrateLua, applyLua],
  ].join(""),
});

/**
 * Reads records whole, as many as fit into about as many bytes, but at least one.
 * KEYS: the records. ARGV: bytes. Returns a list of fields and texts a record, shorter than KEYS where they did not fit.
 */
export const readScript: Script = defineScript({
  name: "state-store.read",
  readOnly: true,
  lua: `
local budget = tonumber(ARGV[1])
local records = {}
for index, record_key in ipairs(KEYS) do
  local texts = redis.call('HGETALL', record_key)
  for _, text in ipairs(texts) do budget = budget - #text end
  if budget < 0 and index > 1 then break end
  records[index] = texts
end
return records
`,
});

/**
 * Versions of records, without reading more of them.
 * KEYS: the records. ARGV: a field and the text that it must have; without them, any. Returns a version each, nil for the others.
 */
export const versionsScript: Script = defineScript({
  name: "state-store.versions",
  readOnly: true,
  lua: `
local versions = {}
for index, record_key in ipairs(KEYS) do
  local found = redis.call('HMGET', record_key, '_v', ARGV[1] or '_v')
  versions[index] = (not ARGV[1] or found[2] == ARGV[2]) and found[1]
end
return versions
`,
});

/** A record's own log. KEYS: record, log. ARGV: the sequence to read after. Returns entries, or nil without the record. */
export const logScript: Script = defineScript({
  name: "state-store.log",
  readOnly: true,
  lua: `
local record = redis.call('HMGET', KEYS[1], '_v', '_events')
if not record[1] then return false end
local newer = tonumber(record[2] or '0') - tonumber(ARGV[1])
if newer <= 0 then return {} end
return redis.call('LRANGE', KEYS[2], -newer, -1)
`,
});

/**
 * The values of an index with their counts: steps from value to value, so it costs a look per value, not per record.
 * KEYS: index. ARGV: index field, where to begin, where the field's entries end, how many.
 * Returns escaped value and count alternately.
 */
export const valuesScript: Script = defineScript({
  name: "state-store.values",
  readOnly: true,
  lua: `
local field, from, stop, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local found = {}
while #found < 2 * limit do
  local member = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. from, '(' .. stop, 'LIMIT', 0, 1)[1]
  if not member then break end
  local value = string.match(string.sub(member, #field + 2), '^[^|]*')
  local prefix = field .. '|' .. value
  found[#found + 1] = value
  found[#found + 1] = redis.call('ZLEXCOUNT', KEYS[1], '[' .. prefix .. '|', '(' .. prefix .. '}')
  from = prefix .. '}'
end
return found
`,
});

/** Ids that have expired by the store's clock, the longest expired first. KEYS: expiry. ARGV: how many. */
export const expiredScript: Script = defineScript({
  name: "state-store.expired",
  readOnly: true,
  lua: `${nowLua}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', math.floor(now_ms())), 'LIMIT', 0, ARGV[1])
`,
});

/** Raises a partition's fence, never lowers it (L8). KEYS: fence. ARGV: term. Returns the fence as it is then. */
export const raiseFenceScript: Script = defineScript({
  name: "state-store.raise-fence",
  readOnly: false,
  lua: `
local fence = tonumber(redis.call('GET', KEYS[1]) or '0')
local term = tonumber(ARGV[1])
if term < fence then return fence end
local reply = redis.pcall('SET', KEYS[1], ARGV[1])
return reply.err and reply or term
`,
});

/** The clock of the server that holds a partition, epoch ms. KEYS: any key of it. */
export const timeScript: Script = defineScript({
  name: "state-store.time",
  readOnly: true,
  lua: `${nowLua}
return math.floor(now_ms())
`,
});

/** What the server that holds a partition says of its memory. KEYS: any key of it. Returns INFO memory. */
export const memoryScript: Script = defineScript({
  name: "state-store.memory",
  readOnly: true,
  lua: `return redis.call('INFO', 'memory')`,
});
