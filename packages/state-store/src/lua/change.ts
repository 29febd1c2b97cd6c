/**
 * Lua: the change that is being applied, in locals that every function sees, and \`take_change()\`, which fills them from KEYS
 * and ARGV. Lists stay where they are in ARGV; what is noted is their first and their last place.
 */
export const changeLua: string = `
local op, id, request, wanted_version, made_by
local record_key, inbox_key, log_key, tombstone_key
-- Events: their tags, and the place in ARGV before the first.
local tags, tag_count, events_before = {}, 0, 0
-- Fields and texts that are set, fields that go (of a delete: entries that a record which is gone may have left).
local first_set, last_set, first_unset, last_unset
-- Conditions: fields and texts that it must have, fields that it must not have.
local first_where, where_count, absent_count
-- Keys and texts that come into the inbox with an update.
local first_deposit, deposit_count
-- Fence; what becomes of the expiry, and when that is; of a delete its reason, of a migration the schema that it is from.
local wanted_fence, expiry, expires, extra

-- What few changes have.
local function take_rest(rest)
  local fence_text, expiry_text, unsets, wheres, absents, extra_text = match(rest, '^ (%S+) (%S+) (%d+) (%d+) (%d+) (%S+)$')
  wanted_fence, expiry, extra = tonumber(fence_text), expiry_text, extra_text
  local expires_in = tonumber(expiry)
  if expires_in then expires = format('%.0f', now + expires_in) end
  first_unset, last_unset = next_arg, next_arg + unsets - 1
  first_where, where_count, absent_count = last_unset + 1, tonumber(wheres), tonumber(absents)
  next_arg = first_where + 2 * where_count + absent_count
  if op == 'update' and extra ~= '-' then
    first_deposit, deposit_count = next_arg, tonumber(extra)
    next_arg = next_arg + 2 * deposit_count
  end
end

local function take_tags(text)
  tag_count = 0
  if text == '-' then return end
  if not find(text, ',', 1, true) then
    tags[1], tag_count = text, 1
    return
  end
  for tag in string.gmatch(text, '[^,]+') do
    tag_count = tag_count + 1
    tags[tag_count] = tag
  end
end

local function take_change()
  local tag_text, sets, rest
  op, request, tag_text, wanted_version, made_by, sets, rest =
    match(ARGV[next_arg], '^(%S+) (%S+) (%S+) ([%d-]+)/?(%S*) (%d+)(.*)$')
  id = ARGV[next_arg + 1]
  take_tags(tag_text)
  events_before = next_arg + 1
  first_set = next_arg + 2 + tag_count
  last_set = first_set + 2 * sets - 1
  next_arg = last_set + 1
  first_unset, last_unset, where_count, absent_count, deposit_count = 1, 0, 0, 0, 0
  wanted_fence, expires, extra, expiry = nil, nil, nil, nil
  if rest ~= '' then take_rest(rest) end

  record_key, inbox_key, log_key, tombstone_key = key(), nil, nil, nil
  if op == 'deposit' or op == 'delete' or deposit_count > 0 then inbox_key = key() end
  if op == 'delete' or tag_count > 0 and max_log_entries > 0 then log_key = key() end
  if op ~= 'deposit' and op ~= 'migrate' then tombstone_key = key() end
end

-- How much of the record the change looks at.
local function places_read()
  if op == 'update' then
    if expiry == 'never' then return EXPIRES end
    if deposit_count > 0 then return INBOX end
    return log_key and EVENTS or COMMON
  end
  if op == 'create' then return REQUESTS end
  return op == 'deposit' and INBOX or UPDATED
end

-- S3: whether the record is what its writer takes it for.
local function holds(record)
  if wanted_version ~= '-' then
    if wanted_version ~= record[VERSION] then return false end
    -- The newest request, which led to this version, stands in front. A fail-over gives a number to another state.
    if made_by ~= '' and find(record[REQUESTS] or '', made_by, 1, true) ~= 1 then return false end
  end
  for at = 1, where_count + absent_count do
    local present = at <= where_count
    local place_at = present and first_where + 2 * at - 2 or first_where + where_count + at - 1
    local field, wanted = ARGV[place_at], present and ARGV[place_at + 1] or nil
    local place = places[field]
    local text
    if place then text = record[place] else text = call('HGET', record_key, field) end
    if (text or nil) ~= wanted then return false end
  end
  return true
end

-- Puts what the change sets and takes away where the entries are made from.
local function set_places(record)
  for at = first_set, last_set, 2 do
    local place = places[ARGV[at]]
    if place then record[place] = ARGV[at + 1] end
  end
  for at = first_unset, last_unset do
    local place = places[ARGV[at]]
    if place then record[place] = false end
  end
end
`;
