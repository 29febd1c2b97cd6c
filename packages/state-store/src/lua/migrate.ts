/** Lua: `migrate(record)` writes a record in a newer schema. Nobody is told: nothing has happened to it. */
export const migrateLua: string = `
local function migrate(record)
  if wanted_version ~= record[VERSION] or extra ~= (record[SCHEMA] or '1') then
    return { 'conflict', tonumber(record[VERSION]) }
  end
  local before = entries_of(record)
  set_places(record)
  local final = is_final(record)
  local _, refused = try('HSET', record_key, '_schema', schema, '_indexes', final and final_names or index_names,
    unpack(ARGV, first_set, last_set))
  if refused then return refused end
  if last_unset >= first_unset then call('HDEL', record_key, unpack(ARGV, first_unset, last_unset)) end
  call('ZREM', index_key, unpack(before))
  add_entries(record, final)
  return { 'ok', tonumber(record[VERSION]), tonumber(record[UPDATED]) }
end
`;
