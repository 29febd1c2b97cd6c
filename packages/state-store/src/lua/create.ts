/** Lua: `create(forebear)`, where there is no record; `forebear` are the requests of one that was deleted a moment ago. */
export const createLua: string = `
local function create(forebear)
  local sequence
  if tag_count > 0 then
    local refused
    sequence, refused = tell(nil, '1')
    if refused then return refused end
  end
  local record = { [CREATED] = stamp, [UPDATED] = stamp }
  set_places(record)
  local final = is_final(record)
  -- The fields of the change come first, so that people see them first.
  local fields = { unpack(ARGV, first_set, last_set) }
  local count = #fields
  local function push(field, text)
    fields[count + 1], fields[count + 2] = field, text
    count = count + 2
  end
  push('_v', '1')
  -- S2: what was asked of the record that was there before is remembered in this one.
  push('_rid', remember(forebear, request, '1', now, stamp))
  push('_updated', stamp)
  if sequence then push('_events', sequence) end
  local names = final and final_names or index_names
  if names ~= '' then push('_indexes', names) end
  if expires then push('_expires', expires) end
  push('_created', stamp)
  if schema ~= '1' then push('_schema', schema) end
  local _, refused = try('HSET', record_key, unpack(fields))
  if refused then return refused end
  note_events()
  add_entries(record, final)
  if expires then call('ZADD', expiry_key, expires, id) end
  return 1
end
`;
