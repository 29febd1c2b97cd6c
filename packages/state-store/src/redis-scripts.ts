import { appendEventsLua, defineScript, nowLua, type Script } from "@parallax/redis";
import { cutLength, prunedLength, rememberedMs, rememberedRequests } from "./request-ids.ts";

/** Lua: the requests that a record remembers, as request-ids.ts has them (S2). */
const requestsLua = `
local function recall(requests, request)
  local entry, from = request .. '/', 1
  while true do
    local first, slash = string.find(requests, entry, from, true)
    if not first then return nil end
    -- Not the end of a longer id.
    if first == 1 or string.byte(requests, first - 1) == 32 then
      return string.match(requests, '^([%d-]+)/(%d+)', slash + 1)
    end
    from = slash
  end
end

local function may_have_forgotten(requests, since, now)
  local _, spaces = string.gsub(requests, ' ', ' ')
  if spaces + 1 < ${rememberedRequests} then return false end
  return tonumber(string.match(requests, '%d+$')) >= since or now < since
end

local function remember(requests, request, version, now, stamp)
  local newest = request .. '/' .. version .. '/' .. stamp
  if not requests then return newest end
  if #requests < ${prunedLength} then return newest .. ' ' .. requests end
  local oldest = now - ${rememberedMs}
  -- The last thirteen characters are the time of the oldest.
  if #requests < ${cutLength} and tonumber(string.sub(requests, -13)) >= oldest then return newest .. ' ' .. requests end
  local entries = { newest }
  for entry, entry_at in string.gmatch(requests, '(%S+/(%d+))') do
    if #entries == ${rememberedRequests} or tonumber(entry_at) < oldest then break end
    entries[#entries + 1] = entry
  end
  return table.concat(entries, ' ')
end
`;

/** Lua: what every change of a call shares, and how a record is read. Globals are slow, so what is used often is local. */
const contextLua = `
local call, find, format, match = redis.call, string.find, string.format, string.match
local KEYS, ARGV = KEYS, ARGV
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
  if not find(reply.err, 'OOM', 1, true) and not find(reply.err, 'WRONGTYPE', 1, true) then refused_all = reply end
  return nil, { 'refused', reply.err }
end

local now = math.floor(now_ms())
local stamp = format('%013.0f', now)
local fence_key, index_key, expiry_key = key(), key(), key()
local topic, channel, partition, epoch_candidate = arg(), arg(), arg(), arg()
local meta_key, topic_key
if topic ~= '' then meta_key, topic_key = key(), key() end
local max_topic_entries, max_topic_age = arg(), tonumber(arg())
local max_log_entries, max_inbox_bytes = tonumber(arg()), tonumber(arg())
local schema, durable, repeated_since = arg(), arg() == '1', tonumber(arg())

-- What is read of a record, in this order: fields of ours, the indexed ones, then the final ones that are not indexed.
local read_fields = { '_v', '_rid', '_created', '_updated', '_expires', '_events', '_indexes', '_schema', '_inbox' }
local VERSION, REQUESTS, CREATED, UPDATED, EXPIRES, EVENTS, INDEXES, SCHEMA, INBOX = 1, 2, 3, 4, 5, 6, 7, 8, 9
local OWN = #read_fields
local places = {}
local function place_of(field)
  if not places[field] then
    read_fields[#read_fields + 1] = field
    places[field] = #read_fields
  end
  return places[field]
end
local index_names = arg()
local indexes, prefixes = words(index_names), {}
for at, name in ipairs(indexes) do
  place_of(name)
  prefixes[at] = name .. '|'
end
local final_places, final_values = {}, {}
for _ = 1, tonumber(arg()) do
  local place, value = place_of(arg()), arg()
  if not final_values[place] then
    final_places[#final_places + 1] = place
    final_values[place] = {}
  end
  final_values[place][value] = true
end

-- The indexes by which records become final, and what a record's \`_indexes\` says: the names, with a mark at these once it is.
local ends, final_names = {}, index_names
do
  local marked = {}
  for at, name in ipairs(indexes) do
    ends[at] = final_values[places[name]] ~= nil
    marked[at] = ends[at] and name .. '!' or name
  end
  if #marked > 0 then final_names = table.concat(marked, ' ') end
end

-- Fails before anything is written if one of the shared keys holds something else.
local fence = tonumber(call('GET', fence_key) or '0')
call('ZCARD', index_key)
call('ZCARD', expiry_key)

-- The texts of a record by their places; false for what it has not.
local function read_record(record_key)
  local record, refused = try('HMGET', record_key, unpack(read_fields))
  if refused then return nil, refused end
  if not record[VERSION] then return nil end
  return record
end

local function is_final(record)
  for at = 1, #final_places do
    local place = final_places[at]
    if final_values[place][record[place]] then return true end
  end
  return false
end
`;

/** Lua: the entries of a record in the sorted set of its collection, as index-entry.ts has them. */
const entriesLua = `
local function escape_value(value)
  return (string.gsub(string.gsub(value, '%%', '%%25'), '|', '%%7C'))
end

-- The beginning of an entry; the changes of a call often have the same values.
local beginnings = {}
local function beginning_of(at, value)
  local texts = beginnings[at]
  if not texts then
    texts = {}
    beginnings[at] = texts
  end
  local text = texts[value]
  if not text then
    text = prefixes[at] .. escape_value(value)
    texts[value] = text
  end
  return text
end

-- What a record's \`_indexes\` says after this change.
local function names_of(record)
  return is_final(record) and final_names or index_names
end

-- The times in a record's entries: of its creation, and of its last change, which of a final record is its end.
local function tails_of(record, id)
  return '|' .. record[CREATED] .. '|' .. id, '|' .. record[UPDATED] .. '|' .. id
end

-- The entries that a record has now, of the indexes that its last writer knew, behind the one of every record.
local function entries_of(record_key, record, id)
  local came, ended = tails_of(record, id)
  local members, names = { '*' .. came }, record[INDEXES] or ''
  if names == index_names or names == final_names then
    for at = 1, #indexes do
      local value = record[OWN + at]
      if value then
        members[#members + 1] = beginning_of(at, value) .. (ends[at] and names == final_names and ended or came)
      end
    end
    return members
  end
  for _, word in ipairs(words(names)) do
    local name, mark = match(word, '^(.-)(!?)$')
    local value = call('HGET', record_key, name)
    if value then members[#members + 1] = name .. '|' .. escape_value(value) .. (mark ~= '' and ended or came) end
  end
  return members
end

local function add_entries(record, id)
  local came, ended = tails_of(record, id)
  local final = is_final(record)
  local scored = { '0', '*' .. came }
  for at = 1, #indexes do
    local value = record[OWN + at]
    if value then
      local count = #scored
      scored[count + 1], scored[count + 2] = '0', beginning_of(at, value) .. (final and ends[at] and ended or came)
    end
  end
  call('ZADD', index_key, unpack(scored))
end

-- Moves the entries of what was open before a change and has the same indexes: those of the values that are others now.
local function move_entries(before, record, id)
  local came, ended = tails_of(record, id)
  local final = is_final(record)
  local gone, scored = {}, {}
  for at = 1, #indexes do
    local old, value = before[at], record[OWN + at]
    local tail = final and ends[at] and ended or came
    if old ~= value or tail ~= came then
      if old then gone[#gone + 1] = beginning_of(at, old) .. came end
      if value then
        local count = #scored
        scored[count + 1], scored[count + 2] = '0', beginning_of(at, value) .. tail
      end
    end
  end
  if #gone > 0 then call('ZREM', index_key, unpack(gone)) end
  if #scored > 0 then call('ZADD', index_key, unpack(scored)) end
end
`;

/** Lua: one function a kind of change; each validates, then writes. */
const changesLua = `
local events, event_count = {}, 0
local none = {}
local at_text
-- The number so many after one that is kept as text.
local function following(text, by)
  return format('%.0f', (text or 0) + (by or 1))
end

-- Appends to the record's own log, if it has one, which may be the first write of the change. Returns how many events the
-- record has had then, or nil and why it was refused.
local function tell(change, so_far, version)
  local tail, sequence = ',"version":' .. version .. '}', nil
  for index = 1, #change.tags do change.told[index] = ARGV[change.events + index] .. tail end
  if max_log_entries == 0 then return nil end
  at_text = at_text or rfc3339(now)
  local entries = {}
  for index, json in ipairs(change.told) do
    sequence = following(so_far, index)
    entries[index] = '{"sequence":' .. sequence .. ',"at":"' .. at_text .. '","event":' .. json .. '}'
  end
  local length, refused = try('RPUSH', change.log_key, unpack(entries))
  if refused then return nil, refused end
  if length > max_log_entries then call('LTRIM', change.log_key, -max_log_entries, -1) end
  return sequence
end

-- Notes the events for the topic, once nothing of the change can be refused any more.
local function note_events(change)
  for index, json in ipairs(change.told) do
    event_count = event_count + 1
    events[event_count] = { tag = change.tags[index], json = json }
  end
end

local function starts_with(text, beginning)
  return text and string.sub(text, 1, #beginning) == beginning
end

local function holds(change, record)
  if change.version and change.version ~= record[VERSION] then return false end
  if change.made_by and not starts_with(record[REQUESTS], change.made_by .. '/') then return false end
  for _, condition in ipairs(change.where) do
    local place = places[condition.field]
    local text
    if place then text = record[place] else text = call('HGET', change.record_key, condition.field) end
    if (text or nil) ~= condition.value then return false end
  end
  return true
end

local function has_expired(record)
  return record[EXPIRES] and tonumber(record[EXPIRES]) <= now
end

-- Puts what a change sets and takes away where the entries are made from.
local function set_places(change, record)
  for at = change.first, change.last, 2 do
    local place = places[ARGV[at]]
    if place then record[place] = ARGV[at + 1] end
  end
  for _, field in ipairs(change.unset) do
    local place = places[field]
    if place then record[place] = false end
  end
end

local function push(fields, field, text)
  local count = #fields
  fields[count + 1], fields[count + 2] = field, text
end

-- Adds fields of ours that not every change sets.
local function push_rare(fields, change, record, sequence)
  if sequence then push(fields, '_events', sequence) end
  local names = names_of(record)
  if (change.indexes_before or '') ~= names then push(fields, '_indexes', names) end
  if change.expires then push(fields, '_expires', change.expires) end
end

local function create(change, forebear)
  local sequence
  if change.log_key then
    local refused
    sequence, refused = tell(change, nil, '1')
    if refused then return refused end
  end
  -- S2: what was asked of a record of this id that was deleted a moment ago is remembered in this one.
  local record = { [REQUESTS] = forebear, [CREATED] = stamp, [UPDATED] = stamp }
  set_places(change, record)
  -- The fields of the change come first, so that people see them first.
  local fields = { unpack(ARGV, change.first, change.last) }
  push(fields, '_v', '1')
  push(fields, '_rid', remember(forebear, change.request, '1', now, stamp))
  push(fields, '_updated', stamp)
  push_rare(fields, change, record, sequence)
  push(fields, '_created', stamp)
  if schema ~= '1' then push(fields, '_schema', schema) end
  local _, refused = try('HSET', change.record_key, unpack(fields))
  if refused then return refused end
  note_events(change)
  add_entries(record, change.id)
  if change.expires then call('ZADD', expiry_key, change.expires, change.id) end
  return 1
end

-- What of a change's deposits is not in the inbox yet, keys and texts, and how many bytes lie there with them; or why the
-- change is refused: others lie there, or there is no room.
local function missing_deposits(change, record)
  local keys, texts, first = {}, {}, change.deposits_at
  for at = 1, change.deposits do keys[at] = ARGV[first + 2 * at - 2] end
  local there, refused = try('HMGET', change.inbox_key, unpack(keys))
  if refused then return nil, refused end
  local bytes = record[INBOX] or '0'
  local before = bytes
  for at, deposit_key in ipairs(keys) do
    local text = ARGV[first + 2 * at - 1]
    if not there[at] then
      bytes = bytes + #deposit_key + #text
      texts[#texts + 1], texts[#texts + 2] = deposit_key, text
    elseif there[at] ~= text then
      return nil, { 'conflict', tonumber(record[VERSION]) }
    end
  end
  if bytes ~= before and bytes > max_inbox_bytes then return nil, { 'full', before } end
  return texts, nil, bytes
end

local function update(change, record)
  if (record[SCHEMA] or '1') ~= schema then return { 'schema', tonumber(record[SCHEMA] or '1') } end
  if not holds(change, record) then return { 'conflict', tonumber(record[VERSION]) } end
  local deposits, bytes
  if change.deposits then
    local refused
    deposits, refused, bytes = missing_deposits(change, record)
    if refused then return refused end
  end
  local version = following(record[VERSION])
  local sequence
  if change.log_key then
    local refused
    sequence, refused = tell(change, record[EVENTS], version)
    if refused then return refused end
  end
  -- Only an open record changes, so its entries carry the time of its creation.
  local others, values = nil, {}
  if (record[INDEXES] or '') == index_names then
    for at = 1, #indexes do values[at] = record[OWN + at] end
  else
    others = entries_of(change.record_key, record, change.id)
  end
  change.indexes_before = record[INDEXES]
  set_places(change, record)
  record[UPDATED] = stamp
  local remembered = remember(record[REQUESTS], change.request, version, now, stamp)
  -- Made at once, in its size: growing a table costs more than filling it.
  local fields = { '_v', version, '_rid', remembered, '_updated', stamp, unpack(ARGV, change.first, change.last) }
  push_rare(fields, change, record, sequence)
  if deposits and #deposits > 0 then push(fields, '_inbox', format('%.0f', bytes)) end
  local _, refused = try('HSET', change.record_key, unpack(fields))
  if refused then return refused end
  -- X5: whoever finds the change finds what it rests on.
  if deposits and #deposits > 0 then call('HSET', change.inbox_key, unpack(deposits)) end
  note_events(change)
  if #change.unset > 0 then call('HDEL', change.record_key, unpack(change.unset)) end
  if change.expires then
    call('ZADD', expiry_key, change.expires, change.id)
  elseif change.expiry == 'never' and record[EXPIRES] then
    call('HDEL', change.record_key, '_expires')
    call('ZREM', expiry_key, change.id)
  end
  if others then
    call('ZREM', index_key, unpack(others))
    add_entries(record, change.id)
  else
    move_entries(values, record, change.id)
  end
  return tonumber(version)
end

local function delete(change, record)
  if change.extra == 'expired' and not has_expired(record) then return { 'conflict', tonumber(record[VERSION]) } end
  if change.extra == 'asked' and #change.where > 0 and (record[SCHEMA] or '1') ~= schema then
    return { 'schema', tonumber(record[SCHEMA] or '1') }
  end
  if not holds(change, record) then return { 'conflict', tonumber(record[VERSION]) } end
  local version = following(record[VERSION])
  -- S2: what was asked of a record is remembered for a while after it. Nobody asks again of one that was left alone.
  if change.extra == 'asked' or tonumber(record[UPDATED]) > now - ${rememberedMs} then
    local requests = remember(record[REQUESTS], change.request, version, now, stamp)
    local _, refused = try('SET', change.tombstone_key, requests, 'PX', ${rememberedMs})
    if refused then return refused end
  end
  local _, refused = try('ZREM', index_key, unpack(entries_of(change.record_key, record, change.id)))
  if refused then return refused end
  if record[EXPIRES] then call('ZREM', expiry_key, change.id) end
  call('UNLINK', change.record_key, change.inbox_key, change.log_key)
  for index = 1, #change.tags do change.told[index] = ARGV[change.events + index] .. ',"version":' .. version .. '}' end
  note_events(change)
  return tonumber(version)
end

local function deposit(change, record)
  local inbox_key, value = ARGV[change.first], ARGV[change.first + 1]
  local before = record[INBOX] or '0'
  local bytes = before + #inbox_key + #value
  if change.tags == none and bytes <= max_inbox_bytes then
    local added, wrong = try('HSETNX', change.inbox_key, inbox_key, value)
    if wrong then return wrong end
    if added == 1 then
      call('HSET', change.record_key, '_inbox', format('%.0f', bytes))
      return 0
    end
  end
  local there, refused = try('HGET', change.inbox_key, inbox_key)
  if refused then return refused end
  if there then
    -- A repeated deposit waits for replicas as the first did, and WAIT waits for what this connection wrote.
    if durable then try('HSET', change.inbox_key, inbox_key, there) end
    return { 'occupied', there }
  end
  if bytes > max_inbox_bytes then return { 'full', before } end
  local fields = { '_inbox', format('%.0f', bytes) }
  if change.log_key then
    local sequence
    sequence, refused = tell(change, record[EVENTS], record[VERSION])
    if refused then return refused end
    if sequence then fields[3], fields[4] = '_events', sequence end
  end
  local _
  _, refused = try('HSET', change.inbox_key, inbox_key, value)
  if refused then return refused end
  call('HSET', change.record_key, unpack(fields))
  note_events(change)
  return 0
end

local function migrate(change, record)
  if change.version ~= record[VERSION] or change.extra ~= (record[SCHEMA] or '1') then
    return { 'conflict', tonumber(record[VERSION]) }
  end
  local before = entries_of(change.record_key, record, change.id)
  set_places(change, record)
  local _, refused = try('HSET', change.record_key, '_schema', schema, '_indexes', names_of(record),
    unpack(ARGV, change.first, change.last))
  if refused then return refused end
  if #change.unset > 0 then call('HDEL', change.record_key, unpack(change.unset)) end
  call('ZREM', index_key, unpack(before))
  add_entries(record, change.id)
  return { 'ok', tonumber(record[VERSION]), tonumber(record[UPDATED]) }
end
`;

/** Lua: reads one change after the other, and answers each. */
const loopLua = `
-- What few changes have: fence, expiry, fields that go, conditions, and what only one kind of change has.
local function take_rest(change, rest)
  local fence_text, expiry, unsets, wheres, absents, extra = match(rest, '^ (%S+) (%S+) (%d+) (%d+) (%d+) (%S+)$')
  change.fence, change.expiry, change.extra = tonumber(fence_text), expiry, extra
  local expires_in = tonumber(expiry)
  if expires_in then change.expires = format('%.0f', now + expires_in) end
  change.unset, change.where = {}, {}
  for at = 1, tonumber(unsets) do change.unset[at] = arg() end
  for at = 1, tonumber(wheres) do change.where[at] = { field = arg(), value = arg() } end
  for _ = 1, tonumber(absents) do change.where[#change.where + 1] = { field = arg() } end
  if change.op == 'update' and extra ~= '-' then
    change.deposits, change.deposits_at = tonumber(extra), next_arg
    next_arg = next_arg + 2 * change.deposits
  end
end

local function tags_of(text)
  if text == '-' then return none end
  if not find(text, ',', 1, true) then return { text } end
  local tags = {}
  for tag in string.gmatch(text, '[^,]+') do tags[#tags + 1] = tag end
  return tags
end

local function take_change()
  local op, request, tag_text, version, made_by, sets, rest =
    match(arg(), '^(%S+) (%S+) (%S+) ([%d-]+)/?(%S*) (%d+)(.*)$')
  local id, tags = arg(), tags_of(tag_text)
  local first = next_arg + #tags
  local change = { op = op, request = request, version = version ~= '-' and version, made_by = made_by ~= '' and made_by,
    id = id, tags = tags, told = #tags > 0 and {} or none, events = next_arg - 1, first = first, last = first + 2 * sets - 1, record_key = key(),
    unset = none, where = none, log_key = nil, inbox_key = nil, tombstone_key = nil, deposits = nil, deposits_at = nil, indexes_before = nil }
  next_arg = change.last + 1
  if rest ~= '' then take_rest(change, rest) end
  if op == 'deposit' or op == 'delete' or change.deposits then change.inbox_key = key() end
  if op == 'delete' or #tags > 0 then change.log_key = key() end
  if op ~= 'deposit' and op ~= 'migrate' then change.tombstone_key = key() end
  return change
end

-- What a request is answered that was refused before, whatever it would be now.
local function refused_before(change, record)
  if not record then return change.op == 'create' and { 'forgotten' } or { 'missing' } end
  if change.op == 'create' then return { 'exists', call('HGETALL', change.record_key) } end
  return { is_final(record) and 'final' or 'conflict', tonumber(record[VERSION]) }
end

-- S2: the answer that this request got before, from the requests of the record, or of the one that was there.
local function repeated(change, record, requests)
  local version, at = recall(requests, change.request)
  if not version then
    return repeated_since and may_have_forgotten(requests, repeated_since, now) and { 'forgotten' }
  end
  if version == '-' then return refused_before(change, record) end
  -- WAIT waits for what this connection wrote.
  if durable and record then try('HSET', change.record_key, '_rid', requests) end
  if durable and not record then try('SET', change.tombstone_key, requests, 'KEEPTTL') end
  return { 'ok', tonumber(version), tonumber(at) }
end

local handlers = { update = update, delete = delete, deposit = deposit, migrate = migrate }

local function apply(change)
  local record, refused = read_record(change.record_key)
  if refused then return refused end
  local forebear
  if change.tombstone_key then
    forebear = not record and call('GET', change.tombstone_key)
    local requests = record and record[REQUESTS] or forebear
    local answer = requests and repeated(change, record, requests)
    if answer then return answer end
  end
  if change.fence then
    if change.fence < fence then return { 'fenced', fence } end
    if change.fence > fence then
      local _
      _, refused = try('SET', fence_key, format('%.0f', change.fence))
      if refused then return refused end
      fence = change.fence
    end
  end
  if change.op == 'create' then
    if record then return { 'exists', call('HGETALL', change.record_key) } end
    return create(change, forebear)
  end
  if not record then
    if change.op == 'delete' and change.extra ~= 'asked' then
      -- Somebody else took the record's key away. Its entries would be found again and again.
      try('ZREM', expiry_key, change.id)
      if #change.unset > 0 then try('ZREM', index_key, unpack(change.unset)) end
    end
    return { 'missing' }
  end
  if is_final(record) then
    -- S6: a final record can only expire, or be trimmed.
    local may = change.op == 'delete' and (change.extra == 'trimmed' or has_expired(record))
    if not may then return { 'final', tonumber(record[VERSION]) } end
  end
  return handlers[change.op](change, record)
end

local refusals = { exists = true, conflict = true, final = true, missing = true }

-- S2: an earlier attempt of a repeated request may still be on its way. It must not be granted what its caller is denied now.
local function note_refusal(change)
  local requests = call('HGET', change.record_key, '_rid')
  local text = requests or call('GET', change.tombstone_key)
  if text and recall(text, change.request) then return end
  local newest, others = match(text or '', '^(%S*) ?(.*)$')
  local noted = remember(others ~= '' and others, change.request, '-', now, stamp)
  if newest ~= '' then noted = newest .. ' ' .. noted end
  if requests then try('HSET', change.record_key, '_rid', noted)
  else try('SET', change.tombstone_key, noted, 'PX', ${rememberedMs}) end
end

local answers = { now }
for index = 1, tonumber(arg()) do
  local change = take_change()
  local answer = apply(change)
  if repeated_since and change.tombstone_key and type(answer) == 'table' and refusals[answer[1]] then note_refusal(change) end
  answers[index + 1] = answer
  if refused_all then return refused_all end
end
if event_count > 0 and topic ~= '' then
  append_events(meta_key, topic_key, channel, topic, partition, now, epoch_candidate, events, max_topic_entries,
    max_topic_age)
end
return answers
`;

/**
 * Applies changes of one collection and partition, each as one step (S1).
 *
 * KEYS: fence, index, expiry; with a topic its meta and log; then for each change the record, its inbox (deposit, delete, and
 * an update with deposits), its log (delete, and with an event), its tombstone (create, update, delete).
 *
 * ARGV: topic (empty: none), channel, partition, epoch candidate, entries and milliseconds that the topic's log keeps, entries
 * of a record's log, bytes of an inbox, schema, 1 if replicas are waited for, on a repetition the store time since which it may
 * have been made, index fields (separated by spaces), number of final values with a field and a value each, number of changes;
 * then for each change a head `op request tags version sets` (tags separated by commas; the version perhaps with `/` and the
 * request that led to it), and where one of these is needed ` fence expiry unsets wheres absents extra` behind it (`-`: none);
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
  lua: nowLua + appendEventsLua + requestsLua + contextLua + entriesLua + changesLua + loopLua,
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
