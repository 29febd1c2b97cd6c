// The guards that the invariants rest on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const batcher = inFile("batcher.ts", "unit");
const change = inFile("change.ts", "unit");
const entry = inFile("index-entry.ts", "unit");
const changes = inFile("changes.ts", "unit");
const requests = inFile("request-ids.ts", "unit");
const space = inFile("memory-space.ts", "unit");
const known = inFile("known-versions.ts", "unit");
const store = inFile("state-store.ts", "unit");
const upkeep = inFile("upkeep.ts", "unit");
const watch = inFile("watch.ts", "unit");
const writer = inFile("writer.ts", "unit");
/** Parts of the script of changes. */
const part = (/** @type {string} */ name, tests = "redis") => inFile(`lua/${name}.ts`, tests);
const script = {
  apply: part("apply"),
  call: part("call"),
  change: part("change"),
  create: part("create"),
  delete: part("delete"),
  deposit: part("deposit"),
  entries: part("entries"),
  events: part("events"),
  record: part("record"),
  requests: part("requests"),
  update: part("update"),
};
const reading = inFile("redis-scripts.ts", "redis");
const modelled = {
  apply: part("apply", "model"),
  change: part("change", "model"),
  delete: part("delete", "model"),
  entries: part("entries", "model"),
};

/** Files of tests by the names that the mutations use. */
export const suites = {
  unit: ["memory.test", "writer", "request-ids", "collection", "watch", "known-versions"],
  redis: ["redis.test", "redis-keys"],
  model: ["properties"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  // S1: record, entries and event together, or nothing.
  modelled.entries(
    "S1: the old entries go",
    "  if gone_count > 0 then call('ZREM', index_key, unpack(gone, 1, gone_count)) end\n",
    "",
  ),
  modelled.entries(
    "S1: the new entries come",
    "  if scored_count > 0 then call('ZADD', index_key, unpack(scored, 1, scored_count)) end\n",
    "",
  ),
  modelled.change(
    "S1: entries by the values that are set",
    "    if place then record[place] = ARGV[at + 1] end",
    "",
  ),
  script.change(
    "S1: no entry of a field that is taken away",
    "    if place then record[place] = false end",
    "",
  ),
  script.update(
    "S1: the entries that the last writer knew",
    "if names_before == index_names then\n    for at",
    "if true then\n    for at",
  ),
  script.update(
    "S1: a new set of indexes is noted",
    "if names ~= names_before then push(",
    "if false then push(",
  ),
  script.entries("S1: escaped values", "'|', '%%7C')", "'|', '|')"),
  script.events(
    "S1: no event of what was refused",
    "  if refused then return nil, refused end\n  if length",
    "  if length",
  ),
  script.call("S1: the index key is checked first", "call('ZCARD', index_key)\n", ""),
  script.call("S1: the expiry key is checked first", "call('ZCARD', expiry_key)\n", ""),
  script.apply(
    "S1: a demoted primary stops the whole script",
    "  if refused_all then return refused_all end",
    "",
  ),
  script.apply("S1: events reach the topic", "if event_count > 0 and topic ~= '' then", "if false then"),
  space("S1: the old entries go", "shelf.index.delete(member)", "void member"),
  space("S1: the old expiry goes", "shelf.expiry.delete(expiryKey(before.expiresAtMs, id))", "void id"),
  // S2: once.
  modelled.apply("S2: a request is known again", "    if answer then return answer end", ""),
  script.apply(
    "S2: a forgotten request is not repeated",
    "return repeated_since and may_have_forgotten(requests, repeated_since, now) and { 'forgotten' }",
    "return nil",
  ),
  script.requests("S2: forgotten by number", "  if spaces + 1 <", "  if true or spaces + 1 <"),
  script.requests("S2: a clock that went back", " or now < since", ""),
  script.apply(
    "S2: the requests of a deleted record",
    "if not record then forebear = call('GET', tombstone_key) end",
    "",
  ),
  script.create(
    "S2: they live on in the next record",
    "push('_rid', remember(forebear, request,",
    "push('_rid', remember(nil, request,",
  ),
  modelled.delete(
    "S2: also of one that others deleted",
    "local requests = remember(record[REQUESTS], request, version, now, stamp)",
    "local requests = remember(nil, request, version, now, stamp)",
  ),
  script.apply("S2: a refusal holds for a late attempt", "then note_refusal() end", "then end"),
  script.apply(
    "S2: also where it would be granted now",
    "  if version == '-' then return refused_before(record) end",
    "  if version == '-' then return nil end",
  ),
  change(
    "S2: a refusal holds for a late attempt",
    'if (earlier === "refused") return',
    'if (earlier === "refused" && !before && before) return',
  ),
  script.requests(
    "S2: whole ids only",
    "if first == 1 or string.byte(requests, first - 1) == 32 then",
    "if true then",
  ),
  requests(
    "S2: a forgotten request is not repeated",
    "return oldestMs >= sinceMs || nowMs < sinceMs;",
    "return false;",
  ),
  requests("S2: others do not push one out", "slice(0, rememberedRequests - 1)", "slice(0, 0)"),
  requests("S2: whole ids only", "}/`)", "}`)"),
  change(
    "S2: a request is known again",
    'if (earlier) return { outcome: { outcome: "ok", ...earlier }, after: before };',
    "",
  ),
  space(
    "S2: the requests of a deleted record",
    'tombstone && nowMs < tombstone.deletedAtMs + rememberedMs ? tombstone.requests : ""',
    '""',
  ),
  batcher("S2: one change of a record at a time", "    if (waiting) {", "    if (waiting && !waiting) {"),
  writer("S2: repetitions say since when", "isRepeated || count > 1 ? sinceMs : undefined", "undefined"),
  writer(
    "S2: a request that its caller makes again is a repetition",
    "since: (requestId: string): number | undefined => sinceById.get(requestId)",
    "since: (_: string): number | undefined => undefined",
  ),
  writer("S2: unknown is not undone", 'unknown ||= isParallaxError(error, "timeout");', ""),
  writer(
    "S2: an own deposit is known again",
    "repeatedSinceMs === undefined ? outcome : ownDeposit(item.change, outcome)",
    "outcome",
  ),
  writer(
    "S2: what is not replicated is not done",
    "if (!outcome || (!durable && isWritten(outcome))) return true;",
    "if (!outcome) return true;",
  ),
  // S3: no stale writer.
  script.apply(
    "S3: a lower fence is refused",
    "  if wanted_fence < fence then return { 'fenced', fence } end",
    "",
  ),
  script.apply("S3: a higher fence is kept", "try('SET', fence_key, format('%.0f', wanted_fence))", "nil"),
  script.change("S3: an expected version", "if wanted_version ~= record[VERSION] then return false end", ""),
  script.change(
    "S3: the version that is meant",
    "if made_by ~= '' and find(record[REQUESTS] or '', made_by, 1, true) ~= 1 then return false end",
    "",
  ),
  script.change("S3: expected fields", "    if (text or nil) ~= wanted then return false end", ""),
  reading("S3: raising never lowers", "if term < fence then return fence end", ""),
  change(
    "S3: a lower fence is refused",
    "change.fence !== undefined && change.fence < context.fence",
    "false",
  ),
  change(
    "S3: an expected version",
    "if (change.version !== undefined && change.version !== before.version) return false;",
    "",
  ),
  change(
    "S3: the version that is meant",
    "if (change.madeBy !== undefined && change.madeBy !== newestRequest(before.requests)) return false;",
    "",
  ),
  known("S3: what was read or written is known", "    known.set(id, { version, madeBy });", ""),
  known(
    "S3: a version that is another one's",
    "last?.version === version ? last.madeBy : undefined",
    "last?.madeBy",
  ),
  changes("S3: an own change is noted", "known.note(change.id, outcome.version, change.requestId);", ""),
  upkeep("S3: a fenced leader hears of it", "if (fenced) throw fencedError(name, fenced.fence);", ""),
  // S4: expiry through an index.
  script.delete("S4: only what has expired", "extra == 'expired' and not has_expired(record)", "false"),
  script.delete(
    "S4: the siblings go, too",
    "call('UNLINK', record_key, inbox_key, log_key)",
    "call('UNLINK', record_key)",
  ),
  script.delete("S4: its expiry goes", "  if record[EXPIRES] then call('ZREM', expiry_key, id) end", ""),
  script.update("S4: an expiry that is taken back", "    call('HDEL', record_key, '_expires')", ""),
  script.delete("S4: entries of keys that others took away", "  try('ZREM', expiry_key, id)", ""),
  change(
    "S4: only what has expired",
    'change.reason === "expired" && !hasExpired(before, context.nowMs)',
    "false",
  ),
  upkeep("S4: in bounded steps", "ids.slice(0, step)", "ids"),
  // S6: final is final.
  script.apply(
    "S6: a final record does not change",
    "    if not may then return { 'final', tonumber(record[VERSION]) } end",
    "",
  ),
  script.apply(
    "S6: nor goes before its time",
    "op == 'delete' and (extra == 'trimmed' or has_expired(record))",
    "op == 'delete'",
  ),
  change(
    "S6: a final record does not change",
    "isFinal(context.layout, before.fields) && !mayTouchFinal",
    "false && !mayTouchFinal",
  ),
  change(
    "S6: nor goes before its time",
    '(change.reason === "trimmed" || hasExpired(before, nowMs))',
    "true",
  ),
  upkeep(
    "S6: trims only what is final",
    "if (open !== undefined) throw",
    "if (open !== undefined && !open) throw",
  ),
  // S7: bounds.
  script.record(
    "S7: the time of the end",
    "ends[at] = final_values[places[name]] ~= nil",
    "ends[at] = false",
  ),
  entry("S7: the time of the end", "Object.hasOwn(layout.final, index) ? ended : came", "came"),
  script.events("S7: entries of a record's log", "if length > max_log_entries then", "if false then"),
  script.deposit("S7: bytes of an inbox", "  if bytes > max_inbox_bytes then", "if false then"),
  script.requests("S7: requests are cut", "  return kept\nend", "  return #requests\nend"),
  reading("S7: bytes of a reply", "if budget < 0 and index > 1 then break end", ""),
  change("S7: entries of a record's log", ".slice(-layout.maxLogEntries)", ""),
  change("S7: bytes of an inbox", "if (inboxBytes > context.layout.maxInboxBytes)", "if (inboxBytes < 0)"),
  changes("S7: bytes of a record", ", bytes, limits.recordBytes);", ", 0, limits.recordBytes);"),
  changes("S7: bytes of a deposit", "checkBytes(what, bytes, limits.depositBytes);", ""),
  changes("S7: deposits of a change", "entries.length, 0, maxDeposits);", "0, 0, maxDeposits);"),
  script.update(
    "X5: what a change rests on comes with it",
    "  if deposits then call('HSET', inbox_key, unpack(deposits)) end",
    "",
  ),
  script.update(
    "X5: not on what others deposited",
    "    elseif there[at] ~= text then",
    "    elseif false then",
  ),
  script.update(
    "S7: bytes of an inbox, by a change",
    "if bytes ~= before and bytes > max_inbox_bytes then",
    "if false then",
  ),
  script.update("S7: and they count", "push('_inbox', format('%.0f', deposited_bytes)) end", "end"),
  change(
    "X5: what a change rests on comes with it",
    "...(missing.length > 0 ? { inbox: new Map([...before.inbox, ...missing]), inboxBytes } : {}),",
    "",
  ),
  change(
    "X5: not on what others deposited",
    "if (deposits.some(([key, text]) => (before.inbox.get(key) ?? text) !== text)) return conflict(before);",
    "",
  ),
  change(
    "S7: bytes of an inbox, by a change",
    "if (missing.length > 0 && inboxBytes > layout.maxInboxBytes) return inboxFull(before);",
    "",
  ),
  changes(
    "S7: bytes of an event",
    ", Buffer.byteLength(json), limits.eventBytes);",
    ", 0, limits.eventBytes);",
  ),
  writer("S7: deletes of a batch", "const deleteWeight = 4;", "const deleteWeight = 1;"),
  batcher("S7: changes of a batch", "weight > batchSize || ", ""),
  batcher("S7: bytes of a batch", " || bytes > batchBytes)", ")"),
  batcher("S7: changes that wait", "pending >= maxPending || ", ""),
  batcher("S7: bytes that wait", " || pendingBytes + item.bytes > maxPendingBytes", ""),
  store("S7: admission", "usedBytes < limitBytes * admittedShare", "usedBytes < limitBytes"),
  // L8 and E1, where this package holds them.
  store(
    "L8: every partition's fence",
    "fences.every(({ raised }) => raised)",
    "fences.some(({ raised }) => raised)",
  ),
  watch(
    "E1: the position before the records",
    'const cursor = await bus.position(topic);\n    yield { type: "snapshot", records: await listAll(list, query) };',
    'const records = await listAll(list, query);\n    yield { type: "snapshot", records };\n    const cursor = await bus.position(topic);',
  ),
  watch(
    "E1: everything anew after a gap",
    'if (delivered.type === "gap") break;',
    'if (delivered.type === "gap") continue;',
  ),
];
