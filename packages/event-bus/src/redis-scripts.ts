import { appendEventsLua, defineScript, nowLua, openEventLogLua, type Script } from "@parallax/redis";

/**
 * Appends events.
 *
 * KEYS  meta, log: both in the topic's partition, or both beside the coordination keys
 * ARGV  channel, topic, partition, epoch candidate, most entries, greatest age in ms, and a line for each event: its tag, a
 *       space, its JSON
 * Returns the first and the last sequence.
 */
export const appendScript: Script = defineScript({
  name: "event-bus.append",
  readOnly: false,
  lua: `${nowLua}${appendEventsLua}
local events = {}
for tag, json in string.gmatch(ARGV[7], '(%w+) ([^\\n]*)\\n') do
  events[#events + 1] = { tag = tag, json = json }
end
local first, last = append_events(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], now_ms(), ARGV[4], events,
  ARGV[5], tonumber(ARGV[6]))
return { first, last }
`,
});

/**
 * Reads the top of a log. It writes only where there is no log: then it begins one.
 *
 * KEYS  meta, log
 * ARGV  epoch candidate
 * Returns epoch, sequence, tag.
 */
export const positionScript: Script = defineScript({
  name: "event-bus.position",
  readOnly: false,
  lua: `${nowLua}${openEventLogLua}
local epoch, sequence, tag = open_event_log(KEYS[1], KEYS[2], now_ms(), ARGV[1])
return { epoch, sequence, tag }
`,
});

/**
 * Reads the top of a log and its oldest entries after a place. It writes only where there is no log: then it begins one.
 *
 * KEYS  meta, log
 * ARGV  epoch candidate, epoch of the place, sequence of the place, most entries
 * Returns epoch, sequence, tag, and a text for each entry: id, tag, predecessor's tag, time and JSON with spaces between. What
 * is no entry of ours is left out. A place of another epoch reads from the oldest entry.
 */
export const readScript: Script = defineScript({
  name: "event-bus.read",
  readOnly: false,
  lua: `${nowLua}${openEventLogLua}
local epoch, sequence, tag = open_event_log(KEYS[1], KEYS[2], now_ms(), ARGV[1])
local from = '-'
if ARGV[2] == epoch then from = '(' .. ARGV[3] .. '-0' end
local entries = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[4])) do
  local fields = entry[2]
  if fields[1] == 'tag' and fields[3] == 'previous' and fields[5] == 'at' and fields[7] == 'event' then
    -- One text costs both sides far less than ten.
    entries[#entries + 1] = entry[1] .. ' ' .. fields[2] .. ' ' .. fields[4] .. ' ' .. fields[6] .. ' ' .. fields[8]
  end
end
return { epoch, sequence, tag, entries }
`,
});
