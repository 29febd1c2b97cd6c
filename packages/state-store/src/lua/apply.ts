import { rememberedMs } from "../request-ids.ts";

/** Lua: applies one change after the other, each as one step (S1), and answers them. */
export const applyLua: string = `
-- What a request is answered that was refused before, whatever it would be now.
local function refused_before(record)
  if not record then return op == 'create' and { 'forgotten' } or { 'missing' } end
  if op == 'create' then return { 'exists', call('HGETALL', record_key) } end
  return { is_final(record) and 'final' or 'conflict', tonumber(record[VERSION]) }
end

-- S2: the answer that this request got before, from the requests of the record, or of the one that was there.
local function repeated(record, requests)
  local version, at = recall(requests, request)
  if not version then
    return repeated_since and may_have_forgotten(requests, repeated_since, now) and { 'forgotten' }
  end
  if version == '-' then return refused_before(record) end
  -- WAIT waits for what this connection wrote.
  if durable and record then try('HSET', record_key, '_rid', requests) end
  if durable and not record then try('SET', tombstone_key, requests, 'KEEPTTL') end
  return { 'ok', tonumber(version), tonumber(at) }
end

-- S3: nil where the fence lets the change pass; a higher one is kept.
local function fenced()
  if wanted_fence < fence then return { 'fenced', fence } end
  if wanted_fence > fence then
    local _, refused = try('SET', fence_key, format('%.0f', wanted_fence))
    if refused then return refused end
    fence = wanted_fence
  end
end

local function apply()
  local record, refused = read_record(record_key, places_read())
  if refused then return refused end
  local forebear
  if tombstone_key then
    if not record then forebear = call('GET', tombstone_key) end
    local requests = record and record[REQUESTS] or forebear
    local answer = requests and repeated(record, requests)
    if answer then return answer end
  end
  local answer = wanted_fence and fenced()
  if answer then return answer end
  if op == 'create' then
    if record then return { 'exists', call('HGETALL', record_key) } end
    return create(forebear)
  end
  if not record then
    if op == 'delete' and extra ~= 'asked' then delete_leftovers() end
    return { 'missing' }
  end
  if is_final(record) then
    -- S6: a final record can only expire, or be trimmed.
    local may = op == 'delete' and (extra == 'trimmed' or has_expired(record))
    if not may then return { 'final', tonumber(record[VERSION]) } end
  end
  if op == 'update' then return update(record) end
  if op == 'deposit' then return deposit(record) end
  if op == 'delete' then return delete(record) end
  return migrate(record)
end

local refusals = { exists = true, conflict = true, final = true, missing = true }

-- S2: an earlier attempt of a repeated request may still be on its way. It must not be granted what its caller is denied now.
local function note_refusal()
  local requests = call('HGET', record_key, '_rid')
  local text = requests or call('GET', tombstone_key)
  if text and recall(text, request) then return end
  local newest, others = match(text or '', '^(%S*) ?(.*)$')
  local noted = remember(others ~= '' and others, request, '-', now, stamp)
  if newest ~= '' then noted = newest .. ' ' .. noted end
  if requests then try('HSET', record_key, '_rid', noted)
  else try('SET', tombstone_key, noted, 'PX', ${rememberedMs}) end
end

local answers = { now }
for index = 1, tonumber(arg()) do
  take_change()
  local answer = apply()
  if repeated_since and tombstone_key and type(answer) == 'table' and refusals[answer[1]] then note_refusal() end
  answers[index + 1] = answer
  if refused_all then return refused_all end
end
if event_count > 0 and topic ~= '' then
  append_events(meta_key, topic_key, channel, topic, partition, now, epoch_candidate, events, max_topic_entries,
    max_topic_age)
end
return answers
`;
