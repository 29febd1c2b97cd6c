import { appendEventsLua, defineScript, nowLua, type Script, serverIdentityLua } from "@parallax/redis";

/**
 * The scripts of the lease: `lease.ts` in Lua, and a test holds the two to each other.
 *
 * Every script has the same keys, all in the coordination slot:
 *   KEYS[1]  hash: the record, without a TTL (L2: its absence is a loss, not a vacancy)
 *   KEYS[2]  string: the leader's node id, with the lease's TTL, for people; no decision rests on it
 *   KEYS[3]  hash: position of the event log   } only with an event topic
 *   KEYS[4]  stream: the event log             }
 * begins with the same arguments:
 *   ARGV[1]  channel for hints
 *   ARGV[2]  topic of the events, or '' for none
 *   ARGV[3]  channel of the events
 *   ARGV[4]  epoch that a new log takes
 *   ARGV[5]  tag of the event
 * and returns
 *   { outcome, now (ms), lineage, remembers (ms), run id, the record's fields in the order of `leaseFields`, or none }
 */

/** The fields of the record, in the order of the scripts' answers. Absent values are empty strings. */
export const leaseFields = [
  "nodeId",
  "state",
  "term",
  "incarnation",
  "renewal",
  "heldForMs",
  "expiresAtMs",
  "leaseDurationMs",
  "lineage",
  "priority",
  "reservedFor",
  "reservedUntilMs",
  "termsGranted",
  "challenger",
  "challengerPriority",
] as const;

/** How many arguments come before those of the single script. */
const common = 5;
const arg = (position: number): string => `ARGV[${common + position}]`;
const number = (position: number): string => `tonumber(${arg(position)})`;

const fieldsLua = `{${leaseFields.map((field) => `'${field}'`).join(", ")}}`;

/** Reads the record and the circumstances. A damaged record ends the script before it writes anything. */
const recordLua = `
-- L2: an absent record is a first start only where the server has lost nothing. What it was told to forget, or had to, shows
-- in counters that go back to its start; whether it was promoted, and so may never have had a record, in its second lineage.
local function may_have_lost()
  local counters = redis.call('INFO', 'commandstats')
  for _, name in ipairs({'flushall', 'flushdb', 'swapdb'}) do
    if string.find(counters, 'cmdstat_' .. name .. ':', 1, true) then return true end
  end
  local evicted = string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)')
  local earlier = string.match(redis.call('INFO', 'replication'), 'master_replid2:(%w+)')
  return evicted ~= '0' or string.find(earlier or '', '[^0]') ~= nil
end

local now = math.floor(now_ms())
local lineage, run_id, remembers = server_identity()
local field_names = ${fieldsLua}
local numeric = {'term', 'renewal', 'heldForMs', 'expiresAtMs', 'leaseDurationMs', 'priority', 'reservedUntilMs', 'termsGranted'}

local function text(value)
  return type(value) == 'number' and string.format('%.0f', value) or value
end

local record = nil
if redis.call('EXISTS', KEYS[1]) == 1 then
  local values = redis.call('HMGET', KEYS[1], unpack(field_names))
  record = {}
  for index, name in ipairs(field_names) do record[name] = values[index] or '' end
  for _, name in ipairs(numeric) do
    record[name] = tonumber(record[name])
    if not record[name] then return redis.error_reply('DAMAGED ' .. KEYS[1] .. ' has no number in ' .. name) end
  end
elseif may_have_lost() then
  remembers = 0
end

local function answer(outcome, shown)
  local reply = {outcome, text(now), lineage, text(remembers), run_id}
  if shown then
    for _, name in ipairs(field_names) do reply[#reply + 1] = text(shown[name]) end
  end
  return reply
end
`;

/** Writes. HSET on a hash or on nothing is the first write; what follows is for people and may be refused, but not fail. */
const writeLua = `
local function write(next)
  local parts = {}
  for _, name in ipairs(field_names) do
    parts[#parts + 1] = name
    parts[#parts + 1] = text(next[name])
  end
  redis.call('HSET', KEYS[1], unpack(parts))
  if next.state == 'held' then
    redis.pcall('SET', KEYS[2], next.nodeId, 'PX', text(math.max(1, next.leaseDurationMs)))
  else
    redis.pcall('DEL', KEYS[2])
  end
end

local function next_term(above)
  return math.max((record and record.term or 0) + 1, now, above + 1)
end
`;

/** Tells of a change: the event in the topic's log in the same step (S1), then the hint, which may get lost (L6). */
const announceLua = `${appendEventsLua}
local function announce(event_type, node_id, term)
  local json = '{"type":"' .. event_type .. '","nodeId":' .. cjson.encode(node_id) .. ',"term":' .. text(term) .. '}'
  if ARGV[2] ~= '' then
    append_events(KEYS[3], KEYS[4], ARGV[3], ARGV[2], 0, now, ARGV[4], {{tag = ARGV[5], json = json}})
  end
  redis.pcall('PUBLISH', ARGV[1], json)
end
`;

const readable = `${nowLua}${serverIdentityLua}${recordLua}`;
const writable = `${readable}${writeLua}`;

/** Returns the outcome `read`. No arguments of its own. */
export const readScript: Script = defineScript({
  name: "lease.read",
  readOnly: true,
  lua: `${readable}
return answer('read', record)
`,
});

/**
 * Outcomes `granted`, `refused`. Own arguments: node id, incarnation, basis, expected term and renewal (both '' for no record),
 * lineage, lease duration, above term, terms granted, priority.
 */
export const acquireScript: Script = defineScript({
  name: "lease.acquire",
  readOnly: false,
  lua: `${writable}${announceLua}
local node_id, basis, duration = ${arg(1)}, ${arg(3)}, ${number(7)}

local function may_acquire()
  if ${arg(6)} ~= lineage then return false end
  local term, renewal = '', ''
  if record then term, renewal = text(record.term), text(record.renewal) end
  if term ~= ${arg(4)} or renewal ~= ${arg(5)} then return false end
  if basis == 'waited' then return true end
  if basis == 'vacant' then return record == nil and remembers > duration end
  if not record or record.lineage ~= lineage then return false end
  if basis == 'expired' then return record.state == 'held' and now >= record.expiresAtMs end
  if basis ~= 'tombstone' or record.state == 'held' then return false end
  return record.reservedFor == '' or record.reservedFor == node_id or now >= record.reservedUntilMs
end

if not may_acquire() then return answer('refused', record) end
local granted = record and record.termsGranted or 0
local next = {
  nodeId = node_id, incarnation = ${arg(2)}, term = next_term(${number(8)}), renewal = 1, heldForMs = 0, state = 'held',
  expiresAtMs = now + duration, leaseDurationMs = duration, lineage = lineage, priority = ${number(10)},
  reservedFor = '', reservedUntilMs = 0, termsGranted = math.max(granted, ${number(9)}) + 1,
  challenger = '', challengerPriority = '',
}
write(next)
announce('leader-elected', next.nodeId, next.term)
return answer('granted', next)
`,
});

/** Outcomes `marked`, `unchanged`. Own argument: terms granted. */
export const markLossScript: Script = defineScript({
  name: "lease.mark-loss",
  readOnly: false,
  lua: `${writable}
if record then return answer('unchanged', record) end
local next = {
  nodeId = '', incarnation = '', term = 0, renewal = now, heldForMs = 0, state = 'lost',
  expiresAtMs = now, leaseDurationMs = 0, lineage = '', priority = 0,
  reservedFor = '', reservedUntilMs = 0, termsGranted = ${number(1)},
  challenger = '', challengerPriority = '',
}
write(next)
return answer('marked', next)
`,
});

/** Outcomes `renewed`, `lost`. Own arguments: node id, incarnation, term, lease duration, terms granted, priority, reassert (1 or 0), renewal and lineage of the last answer heard, held for (ms). */
export const renewScript: Script = defineScript({
  name: "lease.renew",
  readOnly: false,
  lua: `${writable}
local incarnation, term, duration = ${arg(2)}, ${number(3)}, ${number(4)}
local is_ours = record and record.term == term and record.incarnation == incarnation and record.state == 'held'
local is_below = not record or record.term < term
if not is_ours and not (is_below and ${arg(7)} == '1') then return answer('lost', record) end
local next_lineage = ''
if is_ours then
  local has_heard = ${arg(9)} == lineage and ${number(8)} == record.renewal
  next_lineage = has_heard and lineage or record.lineage
end
local next = {
  nodeId = ${arg(1)}, incarnation = incarnation, term = term,
  renewal = is_ours and record.renewal + 1 or now, state = 'held',
  heldForMs = math.max(is_ours and record.heldForMs or 0, ${number(10)}),
  expiresAtMs = now + duration, leaseDurationMs = duration, lineage = next_lineage, priority = ${number(6)},
  reservedFor = '', reservedUntilMs = 0, termsGranted = math.max(record and record.termsGranted or 0, ${number(5)}),
  challenger = '', challengerPriority = '',
}
write(next)
-- The challenge is delivered with this answer and is gone from the record.
if record then next.challenger, next.challengerPriority = record.challenger, record.challengerPriority end
return answer('renewed', next)
`,
});

/** Outcomes `released`, `unchanged`. Own arguments: incarnation, term, reserved for ('' for nobody), reserve (ms). */
export const releaseScript: Script = defineScript({
  name: "lease.release",
  readOnly: false,
  lua: `${writable}${announceLua}
local is_ours = record and record.term == ${number(2)} and record.incarnation == ${arg(1)} and record.state == 'held'
if not is_ours then return answer('unchanged', record) end
local reserve = ${number(4)}
record.state, record.expiresAtMs, record.reservedFor = 'released', now, ${arg(3)}
record.reservedUntilMs = ${arg(3)} == '' and 0 or now + reserve
record.challenger, record.challengerPriority = '', ''
write(record)
announce('leader-stepped-down', record.nodeId, record.term)
return answer('released', record)
`,
});

/** Outcome `deposed`; the fields after the new record's are those of the record before, if there was one. Own arguments: node id, incarnation. */
export const deposeScript: Script = defineScript({
  name: "lease.depose",
  readOnly: false,
  lua: `${writable}${announceLua}
local next = {
  nodeId = ${arg(1)}, incarnation = ${arg(2)}, term = next_term(0), renewal = 0, heldForMs = 0, state = 'deposed',
  expiresAtMs = now, leaseDurationMs = record and record.leaseDurationMs or 0, lineage = lineage, priority = 0,
  reservedFor = '', reservedUntilMs = 0, termsGranted = record and record.termsGranted or 0,
  challenger = '', challengerPriority = '',
}
write(next)
-- The event names whom the tombstone fences; with nobody there it is only a hint to campaign.
if record and record.state == 'held' and now < record.expiresAtMs then
  announce('leader-deposed', record.nodeId, next.term)
else
  redis.pcall('PUBLISH', ARGV[1], '{"type":"lease-fenced","term":' .. text(next.term) .. '}')
end
local reply = answer('deposed', next)
if record then
  for _, name in ipairs(field_names) do reply[#reply + 1] = text(record[name]) end
end
return reply
`,
});

/** Outcomes `challenged`, `unchanged`. Own arguments: node id, priority. */
export const challengeScript: Script = defineScript({
  name: "lease.challenge",
  readOnly: false,
  lua: `${readable}
local priority = ${number(2)}
local best = record and record.challenger ~= '' and tonumber(record.challengerPriority) or nil
if not record or record.state ~= 'held' or priority <= record.priority or (best and priority <= best) then
  return answer('unchanged', record)
end
redis.call('HSET', KEYS[1], 'challenger', ${arg(1)}, 'challengerPriority', text(priority))
redis.pcall('PUBLISH', ARGV[1], '{"type":"leader-challenged","nodeId":' .. cjson.encode(${arg(1)}) .. '}')
return answer('challenged', record)
`,
});
