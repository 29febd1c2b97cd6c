import { appendEventsLua, defineScript, nowLua, type Script } from "@parallax/redis";
import { prunedLength, rememberedMs, rememberedRequests } from "./request-ids.ts";

/** Lua: the entries of a record in the sorted set of its collection, as index-entry.ts has them. */
const entriesLua = `
local function escape_value(value)
  if not string.find(value, '[%%|]') then return value end
  return (string.gsub(string.gsub(value, '%%', '%%25'), '|', '%%7C'))
end

local function entries_of(indexes, values, updated, id)
  local tail = '|' .. updated .. '|' .. id
  local members, count = { '*' .. tail }, 1
  for at = 1, #indexes do
    local value = values[indexes[at]]
    if value then
      count = count + 1
      members[count] = indexes[at] .. '|' .. escape_value(value) .. tail
    end
  end
  return members
end
`;

/** Lua: the requests that a record remembers, as request-ids.ts has them (S2). */
const requestsLua = `
local function recall(requests, request)
  local _, slash = string.find(' ' .. requests, ' ' .. request .. '/', 1, true)
  if slash then return string.match(requests, '^(%d+)/(%d+)', slash) end
end

local function may_have_forgotten(requests, since, now)
  local _, spaces = string.gsub(requests, ' ', ' ')
  if spaces + 1 < ${rememberedRequests} then return false end
  return tonumber(string.match(requests, '%d+$')) >= since or now < since
end

local function remember(requests, request, version, at)
  local newest = request .. '/' .. version .. '/' .. at
  if not requests then return newest end
  if #requests < ${prunedLength} then return newest .. ' ' .. requests end
  local entries = { newest }
  for entry, entry_at in string.gmatch(requests, '(%S+/(%d+))') do
    if #entries == ${rememberedRequests} or tonumber(entry_at) < at - ${rememberedMs} then break end
    entries[#entries + 1] = entry
  end
  return table.concat(entries, ' ')
end
`;

/** Lua: what every change of a call shares, and how a record is read. */
const contextLua = `
local next_arg, next_key = 1, 1
local function arg() next_arg = next_arg + 1; return ARGV[next_arg - 1] end
local function key() next_key = next_key + 1; return KEYS[next_key - 1] end
local function words(text)
  local list = {}
  for word in string.gmatch(text, '%S+') do list[#list + 1] = word end
  return list
end
-- For the first write of a change: what Redis refuses there leaves the record as it was. A full memory and a key of another
-- type are the change's own bad luck. Anything else, such as READONLY on a demoted primary, holds for the whole script.
local refused_all = nil
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'OOM', 1, true) and not string.find(reply.err, 'WRONGTYPE', 1, true) then
    refused_all = reply
  end
  return nil, { 'refused', reply.err }
end

local now = math.floor(now_ms())
local stamp = string.format('%013.0f', now)
local fence_key, index_key, expiry_key = key(), key(), key()
local topic, channel, partition, epoch_candidate = arg(), arg(), arg(), arg()
local meta_key, topic_key
if topic ~= '' then meta_key, topic_key = key(), key() end
local max_topic_entries, max_topic_age = tonumber(arg()), tonumber(arg())
local max_log_entries, max_inbox_bytes = tonumber(arg()), tonumber(arg())
local schema, durable, repeated_since = arg(), arg() == '1', tonumber(arg())
local index_names = arg()
local indexes = words(index_names)
local read_fields = { '_v', '_rid', '_updated', '_expires', '_events', '_inbox', '_indexes', '_schema' }
for _, field in ipairs(words(arg())) do read_fields[#read_fields + 1] = field end
local final = {}
for _ = 1, tonumber(arg()) do
  local field, value = arg(), arg()
  final[field] = final[field] or {}
  final[field][value] = true
end

-- Fails before anything is written if one of the shared keys holds something else.
local fence = tonumber(redis.call('GET', fence_key) or '0')
redis.call('ZCARD', index_key)
redis.call('ZCARD', expiry_key)

local function is_final(values)
  for field, set in pairs(final) do
    if values[field] and set[values[field]] then return true end
  end
  return false
end

-- The texts of a record by field: ours, the indexed and the final ones, and those that the conditions name.
local function read_record(record_key, conditions)
  local fields = read_fields
  if #conditions > 0 then
    fields = {}
    for index, field in ipairs(read_fields) do fields[index] = field end
    for _, condition in ipairs(conditions) do fields[#fields + 1] = condition.field end
  end
  local reply, refused = try('HMGET', record_key, unpack(fields))
  if refused then return nil, refused end
  local values = {}
  for index, field in ipairs(fields) do values[field] = reply[index] or nil end
  if not values._v then return nil end
  return values
end

-- The entries that a record has now: of the indexes that its last writer knew.
local function entries_now(record_key, values, id)
  if (values._indexes or '') == index_names then return entries_of(indexes, values, values._updated, id) end
  local known = words(values._indexes or '')
  local texts = {}
  for _, field in ipairs(known) do texts[field] = redis.call('HGET', record_key, field) or nil end
  return entries_of(known, texts, values._updated, id)
end

local function with_version(event, version)
  return string.sub(event, 1, -2) .. ',"version":' .. version .. '}'
end

local events = {}
local at_text
-- Appends to the record's own log, which may be the first write of the change, and notes the events for the topic. Returns
-- how many events the record has had then, or nil and why it was refused.
local function tell(change, count, version)
  at_text = at_text or rfc3339(now)
  local lines, told = {}, {}
  for index, event in ipairs(change.events) do
    local json = with_version(event, version)
    lines[index] = '{"sequence":' .. (count + index) .. ',"at":"' .. at_text .. '","event":' .. json .. '}'
    told[index] = { tag = change.tags[index], json = json }
  end
  local length, refused = try('RPUSH', change.log_key, unpack(lines))
  if refused then return nil, refused end
  if length > max_log_entries then redis.call('LTRIM', change.log_key, -max_log_entries, -1) end
  for _, event in ipairs(told) do events[#events + 1] = event end
  return count + #told
end

local function move_entries(before, after)
  if before then redis.call('ZREM', index_key, unpack(before)) end
  local scored = {}
  for index = 1, #after do
    scored[2 * index - 1], scored[2 * index] = '0', after[index]
  end
  redis.call('ZADD', index_key, unpack(scored))
end
`;

/** Lua: one function a kind of change; each validates, then writes. */
const changesLua = `
local function holds(change, values)
  if change.version and change.version ~= tonumber(values._v) then return false end
  for _, condition in ipairs(change.where) do
    if (values[condition.field] or nil) ~= condition.value then return false end
  end
  return true
end

local function has_expired(values)
  return values._expires and tonumber(values._expires) <= now
end

local function push(fields, field, text)
  local count = #fields
  fields[count + 1], fields[count + 2] = field, text
end

-- Our own fields behind the user's: version, requests, time, and what differs from the default. Returns the expiry, if new.
local function push_own(fields, change, values, version, event_count)
  push(fields, '_v', version)
  push(fields, '_rid', remember(values._rid, change.request, version, now))
  push(fields, '_updated', stamp)
  if event_count then push(fields, '_events', event_count) end
  if (values._indexes or '') ~= index_names then push(fields, '_indexes', index_names) end
  local expires_in = tonumber(change.expiry)
  if not expires_in then return nil end
  push(fields, '_expires', now + expires_in)
  return now + expires_in
end

local function create(change)
  local event_count
  if change.log_key then
    local refused
    event_count, refused = tell(change, 0, 1)
    if refused then return refused end
  end
  local fields, values = change.set, {}
  for index = 1, #fields, 2 do values[fields[index]] = fields[index + 1] end
  local expires = push_own(fields, change, values, 1, event_count)
  push(fields, '_created', stamp)
  if schema ~= '1' then push(fields, '_schema', schema) end
  local _, refused = try('HSET', change.record_key, unpack(fields))
  if refused then return refused end
  move_entries(nil, entries_of(indexes, values, stamp, change.id))
  if expires then redis.call('ZADD', expiry_key, expires, change.id) end
  return 1
end

local function update(change, values)
  if (values._schema or '1') ~= schema then return { 'schema', tonumber(values._schema or '1') } end
  if not holds(change, values) then return { 'conflict', tonumber(values._v) } end
  local before = entries_now(change.record_key, values, change.id)
  local version = values._v + 1
  local event_count
  if change.log_key then
    local refused
    event_count, refused = tell(change, values._events or 0, version)
    if refused then return refused end
  end
  local fields, gone = change.set, change.unset
  for index = 1, #fields, 2 do values[fields[index]] = fields[index + 1] end
  for _, field in ipairs(gone) do values[field] = nil end
  local expires = push_own(fields, change, values, version, event_count)
  local _, refused = try('HSET', change.record_key, unpack(fields))
  if refused then return refused end
  if change.expiry == 'never' and values._expires then
    gone[#gone + 1] = '_expires'
    redis.call('ZREM', expiry_key, change.id)
  end
  if #gone > 0 then redis.call('HDEL', change.record_key, unpack(gone)) end
  move_entries(before, entries_of(indexes, values, stamp, change.id))
  if expires then redis.call('ZADD', expiry_key, expires, change.id) end
  return version
end

local function delete(change, values)
  if change.extra == 'expired' and not has_expired(values) then return { 'conflict', tonumber(values._v) } end
  if change.extra == 'asked' and #change.where > 0 and (values._schema or '1') ~= schema then
    return { 'schema', tonumber(values._schema or '1') }
  end
  if not holds(change, values) then return { 'conflict', tonumber(values._v) } end
  local version = values._v + 1
  if change.extra == 'asked' then
    local answer = remember(nil, change.request, version, now)
    local _, refused = try('SET', change.tombstone_key, answer, 'PX', ${rememberedMs})
    if refused then return refused end
  end
  local _, refused = try('ZREM', index_key, unpack(entries_now(change.record_key, values, change.id)))
  if refused then return refused end
  if values._expires then redis.call('ZREM', expiry_key, change.id) end
  redis.call('UNLINK', change.record_key, change.inbox_key, change.log_key)
  for index, event in ipairs(change.events) do
    events[#events + 1] = { tag = change.tags[index], json = with_version(event, version) }
  end
  return version
end

local function deposit(change, values)
  local inbox_key, value = change.set[1], change.set[2]
  local there, refused = try('HGET', change.inbox_key, inbox_key)
  if refused then return refused end
  if there then
    -- A repeated deposit waits for replicas as the first did, and WAIT waits for what this connection wrote.
    if durable then try('HSET', change.inbox_key, inbox_key, there) end
    return { 'occupied', there }
  end
  local bytes = (values._inbox or 0) + #inbox_key + #value
  if bytes > max_inbox_bytes then return { 'full', values._inbox or '0' } end
  local fields = { '_inbox', bytes }
  if change.log_key then
    local event_count
    event_count, refused = tell(change, values._events or 0, values._v)
    if refused then return refused end
    push(fields, '_events', event_count)
  end
  local _
  _, refused = try('HSET', change.inbox_key, inbox_key, value)
  if refused then return refused end
  redis.call('HSET', change.record_key, unpack(fields))
  return 0
end

local function migrate(change, values)
  if change.version ~= tonumber(values._v) or change.extra ~= (values._schema or '1') then
    return { 'conflict', tonumber(values._v) }
  end
  local before = entries_now(change.record_key, values, change.id)
  local fields = change.set
  for index = 1, #fields, 2 do values[fields[index]] = fields[index + 1] end
  for _, field in ipairs(change.unset) do values[field] = nil end
  push(fields, '_schema', schema)
  push(fields, '_indexes', index_names)
  local _, refused = try('HSET', change.record_key, unpack(fields))
  if refused then return refused end
  if #change.unset > 0 then redis.call('HDEL', change.record_key, unpack(change.unset)) end
  move_entries(before, entries_of(indexes, values, values._updated, change.id))
  return { 'ok', tonumber(values._v), tonumber(values._updated) }
end
`;

/** Lua: reads one change after the other, and answers each. */
const loopLua = `
local function take_change()
  local op, request, tags, fence_text, version, expiry, sets, unsets, wheres, absents, extra =
    string.match(arg(), '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  local change = { op = op, request = request, tags = {}, events = {}, fence = tonumber(fence_text), version = tonumber(version),
    expiry = expiry, extra = extra, id = arg(), set = {}, unset = {}, where = {} }
  for tag in string.gmatch(tags == '-' and '' or tags, '[^,]+') do
    change.tags[#change.tags + 1] = tag
    change.events[#change.events + 1] = arg()
  end
  for index = 1, 2 * tonumber(sets) do change.set[index] = arg() end
  for index = 1, tonumber(unsets) do change.unset[index] = arg() end
  for index = 1, tonumber(wheres) do change.where[index] = { field = arg(), value = arg() } end
  for _ = 1, tonumber(absents) do change.where[#change.where + 1] = { field = arg() } end
  change.record_key = key()
  if op == 'deposit' or op == 'delete' then change.inbox_key = key() end
  if op == 'delete' or #change.events > 0 then change.log_key = key() end
  if op == 'delete' and extra == 'asked' then change.tombstone_key = key() end
  return change
end

-- S2: the answer that this request got before.
local function repeated(change, values)
  local version, at
  if values then
    version, at = recall(values._rid or '', change.request)
    if version and durable then try('HSET', change.record_key, '_rid', values._rid) end
  elseif change.tombstone_key then
    local tombstone = redis.call('GET', change.tombstone_key)
    if tombstone then version, at = recall(tombstone, change.request) end
    if version and durable then try('SET', change.tombstone_key, tombstone, 'KEEPTTL') end
  end
  if version then return { 'ok', tonumber(version), tonumber(at) } end
  if values and repeated_since and may_have_forgotten(values._rid, repeated_since, now) then return { 'forgotten' } end
end

local handlers = { update = update, delete = delete, deposit = deposit, migrate = migrate }

local function apply(change)
  local values, refused = read_record(change.record_key, change.where)
  if refused then return refused end
  if change.op ~= 'deposit' and change.op ~= 'migrate' then
    local answer = repeated(change, values)
    if answer then return answer end
  end
  if change.fence then
    if change.fence < fence then return { 'fenced', fence } end
    if change.fence > fence then
      local _
      _, refused = try('SET', fence_key, string.format('%.0f', change.fence))
      if refused then return refused end
      fence = change.fence
    end
  end
  if change.op == 'create' then
    if values then return { 'exists', redis.call('HGETALL', change.record_key) } end
    return create(change)
  end
  if not values then
    if change.op == 'delete' and change.extra ~= 'asked' then
      -- Somebody else took the record's key away. Its entries would be found again and again.
      try('ZREM', expiry_key, change.id)
      if #change.unset > 0 then try('ZREM', index_key, unpack(change.unset)) end
    end
    return { 'missing' }
  end
  if is_final(values) then
    -- S6: a final record can only expire, or be trimmed.
    local may = change.op == 'delete' and (change.extra == 'trimmed' or has_expired(values))
    if not may then return { 'final', tonumber(values._v) } end
  end
  return handlers[change.op](change, values)
end

local answers = { now }
for index = 1, tonumber(arg()) do
  answers[index + 1] = apply(take_change())
  if refused_all then return refused_all end
end
if #events > 0 and topic ~= '' then
  append_events(meta_key, topic_key, channel, topic, partition, now, epoch_candidate, events, max_topic_entries,
    max_topic_age)
end
return answers
`;

/**
 * Applies changes of one collection and partition, each as one step (S1).
 *
 * KEYS: fence, index, expiry; with a topic its meta and log; then for each change the record, its inbox (deposit, delete),
 * its log (delete, and with an event), its tombstone (delete that was asked for).
 *
 * ARGV: topic (empty: none), channel, partition, epoch candidate, entries and milliseconds that the topic's log keeps, entries
 * of a record's log, bytes of an inbox, schema, 1 if replicas are waited for, on a repetition the store time since which it may have been made, index fields, fields to read (both separated by
 * spaces), number of final values with a field and a value each, number of changes; then for each change a head
 * `op request tags fence version expiry sets unsets wheres absents extra` (`-`: none; tags separated by commas), its id, an
 * event for each tag, and as many fields and texts, fields, fields and texts, fields, as the head says.
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
  lua: nowLua + appendEventsLua + entriesLua + requestsLua + contextLua + changesLua + loopLua,
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
