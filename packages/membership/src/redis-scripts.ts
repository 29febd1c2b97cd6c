import { appendEventsLua, defineScript, nowLua, type Script, serverIdentityLua } from "@parallax/redis";
import { endedRetentionMs, maxEnded, maxTransitions } from "./table.ts";

/*
 * The functions of `table.ts` and `sweep.ts` in Lua, one script each. All of them take the same
 *
 * KEYS  1 members    hash    id → JSON: incarnation, address, zone, status, joinedAt, grace, spared, failedAt (times in ms)
 *       2 reports    hash    id → JSON of the report
 *       3 beats      zset    id → store time of the last beat, ms
 *       4 view       hash    epoch, version, lineage, members (their count), sweptAt, amnestyAt
 *       5 log        stream  <version>-0 → type, member, incarnation
 *       6 ended      zset    incarnation → store time of its end, ms
 *       7 endings    hash    incarnation → JSON: reason, by
 *       8 event meta, 9 event log: of the topic that the transitions go to, if there is one
 * ARGV  1 epoch candidate, 2 tag seed (both random), 3 channel of hints, 4 topic or '', 5 channel of the topic
 *       and from the sixth on what is said at each script.
 *
 * Slot: all keys carry the coordination tag.
 */

/** What every script begins with: names, time, and the head of the table. */
const openLua = `
local MEMBERS, REPORTS, BEATS, VIEW, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ENDED, ENDINGS = KEYS[6], KEYS[7]
local now = math.floor(now_ms())

local head = redis.call('HMGET', VIEW, 'epoch', 'version', 'lineage', 'members', 'sweptAt', 'amnestyAt')
local epoch, version, lineage = head[1], tonumber(head[2] or nil), head[3]
local swept_at, amnesty_at = tonumber(head[5] or nil), tonumber(head[6] or nil)

-- A table of which a part is gone (evicted, deleted) is a lost one.
local function is_whole()
  local count = tonumber(head[4] or nil)
  return epoch and version and swept_at and amnesty_at and count == redis.call('HLEN', MEMBERS)
    and count == redis.call('ZCARD', BEATS) and count == redis.call('HLEN', REPORTS)
end

local function row_of(id)
  local json = redis.call('HGET', MEMBERS, id)
  return json and cjson.decode(json)
end

local function view_reply()
  return { epoch, version, redis.call('HGETALL', MEMBERS), redis.call('ZRANGE', BEATS, 0, -1, 'WITHSCORES'),
    redis.call('HGETALL', REPORTS) }
end
`;

/** What every script that may write goes on with. Nothing is written before its caller has decided what to do. */
const changeLua = `${appendEventsLua}${serverIdentityLua}
local events = {}
local is_new_epoch = false

local function begin_epoch()
  is_new_epoch = true
  epoch, version = ARGV[1], 0
end

-- M4: what was handed out under another lineage may have been taken back.
local current_lineage = server_identity()
local is_lost = not is_whole()
if is_lost then
  begin_epoch()
  swept_at, amnesty_at = now, 0
elseif lineage ~= current_lineage then
  begin_epoch()
end
lineage = current_lineage

local function write_row(id, row)
  redis.call('HSET', MEMBERS, id, cjson.encode(row))
end

-- Takes effect before anything else. Rows of a lost table are nobody's; of a rewound one nobody's age is known any more,
-- beats that it has acknowledged being taken back, so all begin anew (M1).
local function settle_epoch()
  if not is_new_epoch then return end
  redis.call('DEL', LOG)
  if is_lost then redis.call('DEL', MEMBERS, REPORTS, BEATS) end
  local beats = redis.call('ZRANGE', BEATS, 0, -1, 'WITHSCORES')
  for index = 1, #beats, 2 do
    local row = row_of(beats[index])
    if row.status ~= 'failed' then
      row.grace = now - tonumber(beats[index + 1])
      write_row(beats[index], row)
    end
  end
end

local function delete_row(id)
  redis.call('HDEL', MEMBERS, id)
  redis.call('HDEL', REPORTS, id)
  redis.call('ZREM', BEATS, id)
end

local function transition(type, id, incarnation)
  version = version + 1
  events[#events + 1] = { type = type, member = id, incarnation = incarnation, version = version }
end

-- M6: the first reason stays. What is too old or too much goes, a bounded number at a time.
local function end_incarnation(incarnation, ending)
  if redis.call('ZADD', ENDED, 'NX', now, incarnation) == 1 then
    redis.call('HSET', ENDINGS, incarnation, cjson.encode(ending))
  end
  local old = redis.call('ZRANGEBYSCORE', ENDED, '-inf', now - ${endedRetentionMs}, 'LIMIT', 0, 100)
  local surplus = redis.call('ZCARD', ENDED) - ${maxEnded}
  if surplus > #old then old = redis.call('ZRANGE', ENDED, 0, math.min(surplus, 100) - 1) end
  for _, each in ipairs(old) do
    redis.call('ZREM', ENDED, each)
    redis.call('HDEL', ENDINGS, each)
  end
end

local function log_transition(event)
  return redis.pcall('XADD', LOG, 'MAXLEN', ${maxTransitions}, string.format('%.0f-0', event.version),
    'type', event.type, 'member', event.member, 'incarnation', event.incarnation)
end

-- Writes the head of the table, the log, the events of the topic, and hints at it all.
local function commit()
  if #events == 0 and not is_new_epoch then return end
  redis.call('HSET', VIEW, 'epoch', epoch, 'version', version, 'lineage', lineage,
    'members', redis.call('HLEN', MEMBERS), 'sweptAt', swept_at, 'amnestyAt', amnesty_at)
  local published = {}
  for index, event in ipairs(events) do
    local added = log_transition(event)
    if type(added) == 'table' and added.err then
      -- A log that is ahead of the table, or none, is not ours any more.
      redis.call('DEL', LOG)
      log_transition(event)
    end
    published[index] = { tag = ARGV[2] .. index, json = string.format(
      '{"type":"member-%s","member":%s,"incarnation":%s,"epoch":"%s","version":%.0f}', event.type,
      cjson.encode(event.member), cjson.encode(event.incarnation), epoch, event.version) }
  end
  redis.pcall('PUBLISH', ARGV[3], string.format('%.0f', version))
  if ARGV[4] ~= '' and #published > 0 then
    append_events(KEYS[8], KEYS[9], ARGV[5], ARGV[4], 0, now, ARGV[1], published)
  end
end

-- A beat of a row that is a member.
local function refresh(id, row, report)
  redis.call('ZADD', BEATS, now, id)
  redis.call('HSET', REPORTS, id, report)
  if row.status == 'suspect' then
    row.status = 'healthy'
    transition('recovered', id, row.incarnation)
  end
  row.grace, row.spared = 0, false
  write_row(id, row)
end
`;

/**
 * ARGV 6 id, 7 incarnation, 8 address, 9 zone or '', 10 report.
 * Returns `joined` or `ended`, time, view, incarnation and address of whom it replaced or false.
 */
const joinLua = `
local id, incarnation, address, zone, report = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
settle_epoch()
local present = row_of(id)
if redis.call('ZSCORE', ENDED, incarnation) then
  commit()
  return { 'ended', now, view_reply() }
end
if zone == '' then zone = nil end
if present and present.incarnation == incarnation then
  present.address, present.zone = address, zone
  refresh(id, present, report)
  commit()
  return { 'joined', now, view_reply(), false }
end
local replaced = false
if present and present.status ~= 'failed' then
  replaced = { present.incarnation, present.address }
  end_incarnation(present.incarnation,
    { reason = 'replaced', by = { incarnation = incarnation, address = address } })
  transition('replaced', id, present.incarnation)
end
transition('joined', id, incarnation)
refresh(id, { incarnation = incarnation, address = address, zone = zone, status = 'healthy', joinedAt = now }, report)
commit()
return { 'joined', now, view_reply(), replaced }
`;

/**
 * ARGV 6 id, 7 incarnation, 8 report, 9 epoch of the last acknowledgement or '', 10 known epoch or '', 11 known version.
 * Returns `ok`, time, view or false; or `rejoin`, time; or `ended`, time, reason, incarnation and address of whom it was
 * replaced by or false.
 */
const beatLua = `
local id, incarnation, report, member_epoch = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
-- M4: the caller has seen a later version of this epoch, so the store was rewound.
if ARGV[10] == epoch and tonumber(ARGV[11]) > version then begin_epoch() end
settle_epoch()
local row = row_of(id)
local is_member = row and row.status ~= 'failed'
if is_member and row.incarnation == incarnation then
  refresh(id, row, report)
  commit()
  local is_known = ARGV[10] == epoch and tonumber(ARGV[11]) == version
  return { 'ok', now, not is_known and view_reply() }
end
commit()
local ending = redis.call('HGET', ENDINGS, incarnation)
-- Within one epoch nothing is lost: who was a member of it and is none has ended, even if that is no longer on record.
if not ending and member_epoch ~= epoch then return { 'rejoin', now } end
if is_member then return { 'ended', now, 'replaced', { row.incarnation, row.address } } end
local facts = ending and cjson.decode(ending) or { reason = 'removed' }
return { 'ended', now, facts.reason, facts.by and { facts.by.incarnation, facts.by.address } or false }
`;

/**
 * ARGV 6 suspect after, 7 fail after, 8 doomed after, 9 watched gap, 10 long gap, 11 return age, 12 remove after,
 * 13 not before, 14 not after; see `SweepLimits`.
 * Returns whether it swept, time, view, shift, wait until the next or -1, then type, member, incarnation and version of each
 * transition.
 */
const sweepLua = `
local suspect_after, fail_after, doomed_after = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local watched_gap, long_gap, return_age = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local remove_after, not_before, not_after = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
settle_epoch()
-- M5: the store's clock has jumped, or the request was on its way for longer than its sender waited.
if now < not_before or now > not_after then
  commit()
  return { 0, now, view_reply(), 0, -1 }
end

-- M1: time that no sweep watched is held against nobody.
local gap = math.max(0, now - swept_at)
local is_whole_gap = gap > long_gap and swept_at - math.min(amnesty_at, now) >= fail_after
local shift = is_whole_gap and gap or math.max(0, gap - watched_gap)
swept_at = now
amnesty_at = is_whole_gap and now or math.min(amnesty_at, now)

local rows, living, due, doomed = {}, 0, 0, 0
local beats = redis.call('ZRANGE', BEATS, 0, -1, 'WITHSCORES')
for index = 1, #beats, 2 do
  local row = row_of(beats[index])
  row.id, row.beat = beats[index], tonumber(beats[index + 1])
  if row.status ~= 'failed' then
    row.had = row.grace
    local silent = now - row.beat
    row.grace = math.min(math.max(row.grace + shift, is_whole_gap and silent - return_age or -math.huge), silent)
    row.age = silent - row.grace
    living = living + 1
    if row.age >= fail_after then due = due + 1 end
    if row.age >= doomed_after then doomed = doomed + 1 end
  end
  rows[#rows + 1] = row
end
-- M2: a majority that falls silent together is rather the network's or the store's doing than its own.
local is_mass = due > 0 and doomed * 2 > living

local function store_row(row)
  write_row(row.id, { incarnation = row.incarnation, address = row.address, zone = row.zone, status = row.status,
    joinedAt = row.joinedAt, grace = row.grace, spared = row.spared, failedAt = row.failedAt })
end

local next_in = -1
local function judge(row)
  if row.status == 'failed' then
    if now - row.failedAt >= remove_after then
      delete_row(row.id)
      transition('removed', row.id, row.incarnation)
    end
    return
  end
  local status = row.status
  if is_mass and not row.spared and row.age >= doomed_after then
    row.spared, row.grace, row.age = true, now - row.beat, 0
    if status == 'healthy' then row.status = 'suspect' end
  elseif row.age >= fail_after then
    row.status, row.failedAt = 'failed', now
    end_incarnation(row.incarnation, { reason = 'failed' })
  elseif status == 'healthy' and row.age >= suspect_after then
    row.status = 'suspect'
  end
  if row.status ~= status then
    transition(row.status == 'failed' and 'failed' or 'suspected', row.id, row.incarnation)
  end
  if row.status ~= status or row.grace ~= row.had then store_row(row) end
  if row.status ~= 'failed' then
    local wait = math.max(0, (row.status == 'healthy' and suspect_after or fail_after) - row.age)
    if next_in < 0 or wait < next_in then next_in = wait end
  end
end
for _, row in ipairs(rows) do judge(row) end

if #events == 0 and not is_new_epoch then
  redis.call('HSET', VIEW, 'sweptAt', swept_at, 'amnestyAt', amnesty_at)
end
commit()
local reply = { 1, now, view_reply(), shift, next_in }
for _, event in ipairs(events) do
  reply[#reply + 1] = { event.type, event.member, event.incarnation, event.version }
end
return reply
`;

/** ARGV 6 id, 7 incarnation or ''. Returns time and view. */
const drainLua = `
local id, incarnation = ARGV[6], ARGV[7]
settle_epoch()
local row = row_of(id)
if row and (incarnation == '' or incarnation == row.incarnation) and row.status ~= 'failed'
    and row.status ~= 'draining' then
  row.status = 'draining'
  write_row(id, row)
  transition('draining', id, row.incarnation)
end
commit()
return { now, view_reply() }
`;

/** ARGV 6 id, 7 incarnation. Returns 1. */
const leaveLua = `
local id, incarnation = ARGV[6], ARGV[7]
settle_epoch()
local row = row_of(id)
local is_known = redis.call('ZSCORE', ENDED, incarnation)
end_incarnation(incarnation, { reason = 'removed' })
if row and row.incarnation == incarnation and not is_known then
  delete_row(id)
  transition('left', id, incarnation)
end
commit()
return 1
`;

/** ARGV 6 incarnation. Returns 1, or 0 if it is a member. */
const declareEndedLua = `
local incarnation = ARGV[6]
settle_epoch()
for _, json in ipairs(redis.call('HVALS', MEMBERS)) do
  local row = cjson.decode(json)
  if row.incarnation == incarnation and row.status ~= 'failed' then
    commit()
    return 0
  end
end
end_incarnation(incarnation, { reason = 'removed' })
commit()
return 1
`;

/** Returns time and view. Of a lost table it begins the new epoch, so that there is always one. */
const readLua = `
settle_epoch()
commit()
return { now, view_reply() }
`;

/** ARGV 6 epoch, 7 version. Returns false, or version, then the entries of the log after it. */
const historyLua = `
if not is_whole() or ARGV[6] ~= epoch or tonumber(ARGV[7]) > version then return false end
return { version, redis.call('XRANGE', LOG, string.format('(%.0f-0', tonumber(ARGV[7])), '+') }
`;

/** ARGV 6 incarnation. Returns 1 or 0. */
const hasEndedLua = `
return redis.call('ZSCORE', KEYS[6], ARGV[6]) and 1 or 0
`;

/** The scripts of a membership. */
export type MembershipScripts = Readonly<
  Record<
    "join" | "beat" | "sweep" | "drain" | "leave" | "declareEnded" | "read" | "history" | "hasEnded",
    Script
  >
>;

/** @param timeLua defines `now_ms`; another than Redis's own time only to compare the scripts with the functions. */
export function membershipScripts(timeLua: string = nowLua): MembershipScripts {
  const script = (name: string, lua: string, readOnly: boolean): Script => {
    const opening = readOnly ? openLua : openLua + changeLua;
    return defineScript({ name: `membership.${name}`, lua: timeLua + opening + lua, readOnly });
  };
  return {
    join: script("join", joinLua, false),
    beat: script("beat", beatLua, false),
    sweep: script("sweep", sweepLua, false),
    drain: script("drain", drainLua, false),
    leave: script("leave", leaveLua, false),
    declareEnded: script("declareEnded", declareEndedLua, false),
    read: script("read", readLua, false),
    history: script("history", historyLua, true),
    hasEnded: script("hasEnded", hasEndedLua, true),
  };
}
