/** Lua: `deposit(record)`, X5: the first text under a key of the inbox stays. */
export const depositLua: string = `
local function deposit(record)
  local deposit_key, value = ARGV[first_set], ARGV[first_set + 1]
  local before = record[INBOX] or '0'
  local bytes = before + #deposit_key + #value
  if tag_count == 0 and bytes <= max_inbox_bytes then
    local added, wrong = try('HSETNX', inbox_key, deposit_key, value)
    if wrong then return wrong end
    if added == 1 then
      call('HSET', record_key, '_inbox', format('%.0f', bytes))
      return 0
    end
  end
  local there, refused = try('HGET', inbox_key, deposit_key)
  if refused then return refused end
  if there then
    -- A repeated deposit waits for replicas as the first did, and WAIT waits for what this connection wrote.
    if durable then try('HSET', inbox_key, deposit_key, there) end
    return { 'occupied', there }
  end
  -- S7: in bytes.
  if bytes > max_inbox_bytes then return { 'full', before } end
  local fields = { '_inbox', format('%.0f', bytes) }
  if tag_count > 0 then
    local sequence
    sequence, refused = tell(record[EVENTS], record[VERSION])
    if refused then return refused end
    if sequence then fields[3], fields[4] = '_events', sequence end
  end
  local _
  _, refused = try('HSET', inbox_key, deposit_key, value)
  if refused then return refused end
  call('HSET', record_key, unpack(fields))
  note_events()
  return 0
end
`;
