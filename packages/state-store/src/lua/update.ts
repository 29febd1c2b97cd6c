/** Lua: `update(record)`, of a record that is there and open. */
export const updateLua: string = `
-- X5: what of the deposits is not in the inbox yet, keys and texts, and how many bytes lie there with them; or why the change is
-- refused: others lie there, or there is no room.
local function missing_deposits(record)
  local keys, texts = {}, {}
  for at = 1, deposit_count do keys[at] = ARGV[first_deposit + 2 * at - 2] end
  local there, refused = try('HMGET', inbox_key, unpack(keys))
  if refused then return nil, refused end
  local bytes = record[INBOX] or '0'
  local before = bytes
  for at, deposit_key in ipairs(keys) do
    local text = ARGV[first_deposit + 2 * at - 1]
    if not there[at] then
      bytes = bytes + #deposit_key + #text
      texts[#texts + 1], texts[#texts + 2] = deposit_key, text
    elseif there[at] ~= text then
      return nil, { 'conflict', tonumber(record[VERSION]) }
    end
  end
  -- S7: in bytes.
  if bytes ~= before and bytes > max_inbox_bytes then return nil, { 'full', before } end
  return #texts > 0 and texts, nil, bytes
end

-- All fields, where some are set that not every update sets: so few do that a list of their own costs nothing.
local function listed_fields(names_before, names, sequence, deposited_bytes)
  local fields = { unpack(ARGV, first_set, last_set) }
  local function push(field, text) fields[#fields + 1], fields[#fields + 2] = field, text end
  if sequence then push('_events', sequence) end
  if names ~= names_before then push('_indexes', names) end
  if expires then push('_expires', expires) end
  if deposited_bytes then push('_inbox', format('%.0f', deposited_bytes)) end
  return fields
end

local values_before = {}

local function update(record)
  if (record[SCHEMA] or '1') ~= schema then return { 'schema', tonumber(record[SCHEMA] or '1') } end
  if not holds(record) then return { 'conflict', tonumber(record[VERSION]) } end
  local deposits, bytes, refused
  if deposit_count > 0 then
    deposits, refused, bytes = missing_deposits(record)
    if refused then return refused end
  end
  local version = following(record[VERSION])
  local sequence
  if tag_count > 0 then
    sequence, refused = tell(record[EVENTS], version)
    if refused then return refused end
  end
  -- Only an open record changes, so its entries carry the time of its creation.
  local names_before, entries_before = record[INDEXES] or '', nil
  if names_before == index_names then
    for at = 1, index_count do values_before[at] = record[OWN + at] end
  else
    entries_before = entries_of(record)
  end
  set_places(record)
  record[UPDATED] = stamp
  local final = is_final(record)
  local names = final and final_names or index_names
  local requests = remember(record[REQUESTS], request, version, now, stamp)
  local written
  if names ~= names_before or expires or deposits then
    written = redis_pcall('HSET', record_key, '_v', version, '_rid', requests, '_updated', stamp,
      unpack(listed_fields(names_before, names, sequence, deposits and bytes)))
  elseif sequence then
    written = redis_pcall('HSET', record_key, '_v', version, '_rid', requests, '_updated', stamp, '_events', sequence,
      unpack(ARGV, first_set, last_set))
  else
    written = redis_pcall('HSET', record_key, '_v', version, '_rid', requests, '_updated', stamp,
      unpack(ARGV, first_set, last_set))
  end
  if type(written) == 'table' then return refusal(written) end
  -- X5: whoever finds the change finds what it rests on.
  if deposits then call('HSET', inbox_key, unpack(deposits)) end
  note_events()
  if last_unset >= first_unset then call('HDEL', record_key, unpack(ARGV, first_unset, last_unset)) end
  if expires then
    call('ZADD', expiry_key, expires, id)
  elseif expiry == 'never' and record[EXPIRES] then
    call('HDEL', record_key, '_expires')
    call('ZREM', expiry_key, id)
  end
  if entries_before then
    call('ZREM', index_key, unpack(entries_before))
    add_entries(record, final)
  else
    move_entries(values_before, record, final)
  end
  return tonumber(version)
end
`;
