/**
 * Lua, S1: the events of a change, for the record's own log and for the topic's.
 *
 * - `word_events(version)` puts the version into the events of the change.
 * - `tell(so_far, version)` does, and appends them to the record's own log, if it has one, which may be the first write of the
 *   change. Returns how many events the record has had then, or nil and why it was refused.
 * - `note_events()` keeps them for the topic, once nothing of the change can be refused any more.
 */
export const eventsLua: string = `
local events, event_count = {}, 0
local worded = {}
local at_text

local function word_events(version)
  local tail = ',"version":' .. version .. '}'
  for index = 1, tag_count do worded[index] = ARGV[events_before + index] .. tail end
end

local function tell(so_far, version)
  word_events(version)
  if not log_key then return nil end
  at_text = at_text or rfc3339(now)
  local entries, sequence = {}, nil
  for index = 1, tag_count do
    sequence = following(so_far, index)
    entries[index] = '{"sequence":' .. sequence .. ',"at":"' .. at_text .. '","event":' .. worded[index] .. '}'
  end
  local length, refused = try('RPUSH', log_key, unpack(entries))
  if refused then return nil, refused end
  if length > max_log_entries then call('LTRIM', log_key, -max_log_entries, -1) end
  return sequence
end

local function note_events()
  for index = 1, tag_count do
    event_count = event_count + 1
    events[event_count] = { tag = tags[index], json = worded[index] }
  end
end
`;
