import { rememberedMs } from "../request-ids.ts";

/**
 * Lua: `delete(record)`: the record with its siblings, its entries and its expiry, in one step (S4); and `delete_leftovers()`,
 * where somebody else took the record's key away: its entries would be found again and again.
 */
export const deleteLua: string = `
local function delete_leftovers()
  try('ZREM', expiry_key, id)
  if last_unset >= first_unset then try('ZREM', index_key, unpack(ARGV, first_unset, last_unset)) end
end

local function delete(record)
  -- S4: only what has expired by the store's clock.
  if extra == 'expired' and not has_expired(record) then return { 'conflict', tonumber(record[VERSION]) } end
  if extra == 'asked' and where_count + absent_count > 0 and (record[SCHEMA] or '1') ~= schema then
    return { 'schema', tonumber(record[SCHEMA] or '1') }
  end
  if not holds(record) then return { 'conflict', tonumber(record[VERSION]) } end
  local version = following(record[VERSION])
  -- S2: what was asked of a record is remembered for a while after it. Nobody asks again of one that was left alone.
  if extra == 'asked' or tonumber(record[UPDATED]) > now - ${rememberedMs} then
    local requests = remember(record[REQUESTS], request, version, now, stamp)
    local _, refused = try('SET', tombstone_key, requests, 'PX', ${rememberedMs})
    if refused then return refused end
  end
  local _, refused = try('ZREM', index_key, unpack(entries_of(record)))
  if refused then return refused end
  if record[EXPIRES] then call('ZREM', expiry_key, id) end
  call('UNLINK', record_key, inbox_key, log_key)
  word_events(version)
  note_events()
  return tonumber(version)
end
`;
