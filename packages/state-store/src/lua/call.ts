/**
 * Lua: what all changes of a call share. It takes the head of KEYS and ARGV, up to the number of changes.
 *
 * A call carries dozens of changes and Redis does nothing else meanwhile, so what a change has lies in locals and in tables
 * that are used again, never in a table of its own: making, hashing and collecting those costs more than the commands do. For
 * the same reason no text is made that can be passed on as it is: Lua looks at every byte of each.
 */
export const callLua: string = `
local call, redis_pcall = redis.call, redis.pcall
local find, format, match, sub = string.find, string.format, string.match, string.sub
local KEYS, ARGV = KEYS, ARGV
local next_arg, next_key = 1, 1
local function arg() next_arg = next_arg + 1; return ARGV[next_arg - 1] end
local function key() next_key = next_key + 1; return KEYS[next_key - 1] end
local function words(text)
  local list = {}
  for word in string.gmatch(text, '%S+') do list[#list + 1] = word end
  return list
end

-- The number so many after one that is kept as text.
local function following(text, by)
  return format('%.0f', (text or 0) + (by or 1))
end

-- For the first write of a change: what Redis refuses there leaves the record as it was. A full memory and a key of another
-- type are the change's own bad luck. Anything else, such as READONLY on a demoted primary, holds for the whole script.
local refused_all = nil
local function refusal(reply)
  if not find(reply.err, 'OOM', 1, true) and not find(reply.err, 'WRONGTYPE', 1, true) then refused_all = reply end
  return { 'refused', reply.err }
end

-- The reply, or nil and why it was refused.
local function try(...)
  local reply = redis_pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  return nil, refusal(reply)
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

-- S1: fails before anything is written if one of the shared keys holds something else.
local fence = tonumber(call('GET', fence_key) or '0')
call('ZCARD', index_key)
call('ZCARD', expiry_key)
`;
