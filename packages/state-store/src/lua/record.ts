/**
 * Lua: a record as a list of texts, and what is asked of it. It takes the indexes and the final values from ARGV.
 *
 * A record is read with one HMGET of the first so many of `read_fields`: what every change looks at, the indexed and the final
 * fields, and behind these what only some look at. A text that the hash has not is false, one that was not read is nil.
 */
export const recordLua: string = `
local read_fields = { '_v', '_rid', '_created', '_indexes', '_schema' }
local VERSION, REQUESTS, CREATED, INDEXES, SCHEMA = 1, 2, 3, 4, 5
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
local index_count = #indexes
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
local final_count = #final_places

local COMMON = #read_fields
local EVENTS, INBOX, EXPIRES, UPDATED = COMMON + 1, COMMON + 2, COMMON + 3, COMMON + 4
read_fields[EVENTS], read_fields[INBOX], read_fields[EXPIRES], read_fields[UPDATED] = '_events', '_inbox', '_expires', '_updated'

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

-- The first so many texts of the record; nil where there is none, and perhaps why it was refused.
local function read_record(record_key, count)
  local record = redis_pcall('HMGET', record_key, unpack(read_fields, 1, count))
  if record.err then return nil, refusal(record) end
  if not record[VERSION] then return nil end
  return record
end

-- S6: whether nothing changes any more.
local function is_final(record)
  for at = 1, final_count do
    local place = final_places[at]
    if final_values[place][record[place]] then return true end
  end
  return false
end

-- S4: whether its time is over, by the store's clock.
local function has_expired(record)
  return record[EXPIRES] and tonumber(record[EXPIRES]) <= now
end
`;
