import { cutLength, prunedLength, rememberedMs, rememberedRequests } from "../request-ids.ts";

/**
 * Lua, S2: the requests that a record remembers, one text as request-ids.ts has it. Pure functions of that text.
 *
 * - `recall(requests, request)` → version (`-`: refused) and time of that request, or nil.
 * - `may_have_forgotten(requests, since, now)` → whether a request made since then may have been cut off.
 * - `remember(requests, request, version, now, stamp)` → the text with that request in front.
 */
export const requestsLua: string = `
local function recall(requests, request)
  local entry, from = request .. '/', 1
  while true do
    local first, slash = find(requests, entry, from, true)
    if not first then return nil end
    -- Not the end of a longer id.
    if first == 1 or string.byte(requests, first - 1) == 32 then
      return match(requests, '^([%d-]+)/(%d+)', slash + 1)
    end
    from = slash
  end
end

local function may_have_forgotten(requests, since, now)
  local _, spaces = string.gsub(requests, ' ', ' ')
  if spaces + 1 < ${rememberedRequests} then return false end
  return tonumber(match(requests, '%d+$')) >= since or now < since
end

-- The last thirteen characters of an entry are its time.
local function time_before(requests, last)
  return tonumber(sub(requests, last - 12, last))
end

-- Where in a long text what must be kept ends: so many entries, and none that is older.
local function kept_length(requests, oldest)
  local kept, from = 0, 1
  for _ = 2, ${rememberedRequests} do
    local space = find(requests, ' ', from, true)
    local last = space and space - 1 or #requests
    if time_before(requests, last) < oldest then break end
    kept, from = last, last + 2
    if not space then break end
  end
  return kept
end

local function remember(requests, request, version, now, stamp)
  if not requests then return request .. '/' .. version .. '/' .. stamp end
  local length = #requests
  if length >= ${prunedLength} then
    local oldest = now - ${rememberedMs}
    if length >= ${cutLength} or time_before(requests, length) < oldest then
      local kept = kept_length(requests, oldest)
      if kept == 0 then return request .. '/' .. version .. '/' .. stamp end
      requests = sub(requests, 1, kept)
    end
  end
  return request .. '/' .. version .. '/' .. stamp .. ' ' .. requests
end
`;
