/**
 * Lua, S1: the entries of a record in the sorted set of its collection, as index-entry.ts has them: \`<field>|<value>\` with a
 * tail of the time of its creation and its id; of a final record's fields that made it final, with the time of its end.
 */
export const entriesLua: string = `
local function escape_value(value)
  return (string.gsub(string.gsub(value, '%%', '%%25'), '|', '%%7C'))
end

-- The beginning of an entry; the changes of a call often have the same values.
local beginnings = {}
for at = 1, index_count do beginnings[at] = {} end
local function beginning_of(at, value)
  local text = beginnings[at][value]
  if not text then
    text = prefixes[at] .. escape_value(value)
    beginnings[at][value] = text
  end
  return text
end

local function came_tail(record)
  return '|' .. record[CREATED] .. '|' .. id
end

-- The last change of a final record is its end.
local function ended_tail(record)
  return '|' .. (record[UPDATED] or call('HGET', record_key, '_updated')) .. '|' .. id
end

-- The entries that a record has now, of the indexes that its last writer knew, behind the one of every record.
local function entries_of(record)
  local came, names = came_tail(record), record[INDEXES] or ''
  local members = { '*' .. came }
  if names == index_names or names == final_names then
    local ended = names == final_names and ended_tail(record)
    for at = 1, index_count do
      local value = record[OWN + at]
      if value then members[#members + 1] = beginning_of(at, value) .. (ends[at] and ended or came) end
    end
    return members
  end
  for _, word in ipairs(words(names)) do
    local name, mark = match(word, '^(.-)(!?)$')
    local value = call('HGET', record_key, name)
    if value then
      members[#members + 1] = name .. '|' .. escape_value(value) .. (mark ~= '' and ended_tail(record) or came)
    end
  end
  return members
end

-- What is given to ZADD and to ZREM; used again, so only the first so many count.
local scored, gone = {}, {}

local function add_entries(record, final)
  local came, ended = came_tail(record), final and ended_tail(record)
  scored[1], scored[2] = '0', '*' .. came
  local count = 2
  for at = 1, index_count do
    local value = record[OWN + at]
    if value then
      scored[count + 1], scored[count + 2] = '0', beginning_of(at, value) .. (final and ends[at] and ended or came)
      count = count + 2
    end
  end
  call('ZADD', index_key, unpack(scored, 1, count))
end

-- Moves the entries of what was open before and has the same indexes: those of the values that are others now.
local function move_entries(before, record, final)
  local came, ended = came_tail(record), final and ended_tail(record)
  local gone_count, scored_count = 0, 0
  for at = 1, index_count do
    local old, value = before[at], record[OWN + at]
    local tail = final and ends[at] and ended or came
    if old ~= value or tail ~= came then
      if old then
        gone_count = gone_count + 1
        gone[gone_count] = beginning_of(at, old) .. came
      end
      if value then
        scored[scored_count + 1], scored[scored_count + 2] = '0', beginning_of(at, value) .. tail
        scored_count = scored_count + 2
      end
    end
  end
  if gone_count > 0 then call('ZREM', index_key, unpack(gone, 1, gone_count)) end
  if scored_count > 0 then call('ZADD', index_key, unpack(scored, 1, scored_count)) end
end
`;
