import type { KeySpace } from "./key-space.ts";

/** Where the log of a topic lies: beside the records of a partition, or beside the lease and the members. */
export type EventLogPlace = number | "coordination";

/** The names under which the log of one topic and partition is kept. */
export interface EventLogKeys {
  /** Hash: `epoch`, `sequence` and `tag` of the last entry, `at` (ms) of the last append. */
  readonly meta: string;
  /** Stream of entries `<sequence>-0` with the fields `tag`, `previous`, `at` (ms) and `event` (JSON), in this order. */
  readonly log: string;
  /** Channel on which each append is published; its name is the same in every mode. */
  readonly channel: string;
}

/** How many entries a log keeps at least, unless a script says otherwise. */
export const defaultMaxLogEntries = 10_000;

/** How long a log keeps an entry at most, in milliseconds, unless a script says otherwise: one day. */
export const defaultMaxLogAgeMs = 86_400_000;

/** Keys and channel of a topic's log. `"coordination"` puts it where membership and lease scripts can append to it. */
export function eventLogKeys(keySpace: KeySpace, topic: string, place: EventLogPlace): EventLogKeys {
  const key = (name: string): string =>
    place === "coordination" ? keySpace.coordination(name) : keySpace.partitioned(place, name);
  return {
    meta: key(`log:${topic}:meta`),
    log: key(`log:${topic}`),
    channel: keySpace.channel(`events:${topic}`),
  };
}

/**
 * Lua: `local function rfc3339(ms)`, a time of the Unix epoch as `2026-11-23T21:13:21.042Z`.
 *
 * Redis leaves scripts no calendar. Source of the arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
export const rfc3339Lua: string = `
local function rfc3339(ms)
  local floor = math.floor
  local seconds = floor(ms / 1000)
  local shifted = floor(seconds / 86400) + 719468
  local era = floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524)
    - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local month_from_march = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * month_from_march + 2) / 5) + 1
  local month = month_from_march < 10 and month_from_march + 3 or month_from_march - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  local of_day = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
    floor(of_day / 3600), floor(of_day / 60) % 60, of_day % 60, floor(ms % 1000))
end
`;

/**
 * Lua: `local function open_event_log(meta_key, log_key, now_ms, epoch_candidate)` returns epoch, sequence and tag at the
 * log's top. Where there is no log, or something that is none, it begins a new epoch, so that every position that is ever
 * handed out has an epoch: a subscriber that began before the first event notices when the log is lost and begun again.
 */
export const openEventLogLua: string = `
local function open_event_log(meta_key, log_key, now_ms, epoch_candidate)
  local meta = redis.pcall('HMGET', meta_key, 'epoch', 'sequence', 'tag')
  local sequence = tonumber(meta[2] or nil)
  if meta[1] and sequence and meta[3] then return meta[1], sequence, meta[3] end
  redis.call('DEL', meta_key, log_key)
  redis.call('HSET', meta_key, 'epoch', epoch_candidate, 'sequence', '0', 'tag', '',
    'at', string.format('%.0f', math.floor(now_ms)))
  return epoch_candidate, 0, ''
end
`;

/**
 * Lua for every script whose change is an event (S1): defines
 *
 * `local function append_events(meta_key, log_key, channel, topic, partition, now_ms, epoch_candidate, events, max_entries, max_age_ms)`
 *
 * - `events`: `{ { tag = …, json = … }, … }`: a random tag of [0-9a-z] from the caller, and the event as JSON object text.
 * - `partition`: the number in the envelope; 0 for a log beside the coordination keys.
 * - `epoch_candidate`: a random id from the caller, taken where there is no log yet.
 * - `max_entries`, `max_age_ms`: nil for {@link defaultMaxLogEntries} and {@link defaultMaxLogAgeMs}. The log is cut in whole
 *   nodes, so it may keep about a hundred entries more; age is looked at when something is appended.
 *
 * It returns the first and the last sequence. Sequences are dense, and each entry names its predecessor's tag, so that a log
 * that a fail-over took back, and that gives numbers a second time, is seen (E4). One message a call is published:
 * `{"topic","partition","epoch","events":[{"sequence","tag","previous","at","event"}]}`, `at` by RFC 3339.
 *
 * A script may call it after writes of its own: what lies under its keys and is no log makes room for a new epoch, which
 * subscribers see as a gap. The publish is a hint, and trimming can wait: if either is refused, the append stands.
 * The script declares `meta_key` and `log_key` in its KEYS.
 */
export const appendEventsLua: string = `${rfc3339Lua}${openEventLogLua}
local function trim_old_events(log_key, oldest_ms)
  local function is_old(entry)
    local at = tonumber(entry[2][6])
    return at ~= nil and at < oldest_ms
  end
  local entries = redis.pcall('XRANGE', log_key, '-', '+', 'COUNT', 1)
  if entries.err or not entries[1] or not is_old(entries[1]) then return end
  entries = redis.call('XRANGE', log_key, '-', '+', 'COUNT', 100)
  for index, entry in ipairs(entries) do
    if index == #entries or not is_old(entry) then
      redis.pcall('XTRIM', log_key, 'MINID', entry[1])
      return
    end
  end
end

local function append_events(meta_key, log_key, channel, topic, partition, now_ms, epoch_candidate, events,
    max_entries, max_age_ms)
  local epoch, top, tag = open_event_log(meta_key, log_key, now_ms, epoch_candidate)
  if #events == 0 then return top + 1, top end
  -- Redis counts microseconds; entry and message show the same millisecond.
  local at = string.format('%.0f', math.floor(now_ms))
  local at_text = rfc3339(now_ms)

  -- Numbers are turned into text once: that is what costs most in here. The last entry makes room for all.
  local keep = max_entries or '${defaultMaxLogEntries}'
  local function add(command, event, number, is_last)
    if not is_last then
      return command('XADD', log_key, number .. '-0', 'tag', event.tag, 'previous', tag, 'at', at, 'event', event.json)
    end
    return command('XADD', log_key, 'MAXLEN', '~', keep, number .. '-0', 'tag', event.tag, 'previous', tag, 'at', at,
      'event', event.json)
  end

  -- The message, in the order of its parts, so that its text is made once.
  local parts = { '{"topic":' .. cjson.encode(topic) .. ',"partition":' .. partition .. ',"epoch":"', epoch, '","events":[' }
  local at_part = '","at":"' .. at_text .. '","event":'
  local number
  for index, event in ipairs(events) do
    local is_last = index == #events
    number = string.format('%.0f', top + 1)
    local added = index == 1 and add(redis.pcall, event, number, is_last) or add(redis.call, event, number, is_last)
    if type(added) == 'table' and added.err then
      -- A stream that is ahead of its meta hash, or a key that is no stream, is not our log any more.
      if string.find(added.err, 'WRONGTYPE', 1, true) or string.find(added.err, 'equal or smaller', 1, true) then
        redis.call('DEL', meta_key)
        epoch, top, tag = open_event_log(meta_key, log_key, now_ms, epoch_candidate)
        number = string.format('%.0f', top + 1)
      end
      add(redis.call, event, number, is_last)
    end
    top = top + 1
    parts[index + 3] = (index == 1 and '{"sequence":' or ',{"sequence":') .. number .. ',"tag":"' .. event.tag .. '","previous":"' .. tag
      .. at_part .. event.json .. '}'
    tag = event.tag
  end
  redis.call('HSET', meta_key, 'epoch', epoch, 'sequence', number, 'tag', tag, 'at', at)
  trim_old_events(log_key, now_ms - (max_age_ms or ${defaultMaxLogAgeMs}))
  -- The log may have begun anew on the way.
  parts[2], parts[#parts + 1] = epoch, ']}'
  redis.pcall('PUBLISH', channel, table.concat(parts))
  return top - #events + 1, top
end
`;
