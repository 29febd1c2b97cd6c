// The guards that the invariants rest on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const continuity = inFile("continuity.ts", "unit");
const subscription = inFile("subscription.ts", "unit");
const feed = inFile("feed.ts", "unit");
const publisher = inFile("publisher.ts", "unit");
const iterate = inFile("iterate.ts", "unit");
const bus = inFile("event-bus.ts", "unit");
const cursor = inFile("cursor.ts", "unit");
const memory = inFile("memory-space.ts", "unit");
const envelope = inFile("envelope.ts", "redis");
const redis = inFile("redis.ts", "redis");
const script = inFile("redis-scripts.ts", "redis");

/** Files of tests by the names that the mutations use. */
export const suites = {
  unit: ["continuity", "event-bus.test", "iterate", "cursor", "memory.test", "bad-input", "simulation"],
  redis: ["test/redis.test", "test/redis-faults", "attacks"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  // E1: in order and once, and every loss is told.
  continuity(
    "E1: what is known is dropped",
    "batch.epoch === known.epoch && isDuplicate(known, entry)",
    "false",
  ),
  continuity("E1: older is known", "entry.sequence < known.sequence || (", "("),
  continuity("E1: the next sequence", "entry.sequence === known.sequence + 1 && ", ""),
  continuity("E1: of this epoch", "batch.epoch === known.epoch && entry.sequence", "entry.sequence"),
  continuity("E1: a hole is read from the log", "if (!follows) return backfill(known, left, effects);", ""),
  continuity(
    "E1: trimmed, in the midst",
    'effects.push(gap("trimmed", known.sequence + 1, entry.sequence - 1, beforeEntry));',
    "",
  ),
  continuity(
    "E1: trimmed, all of it",
    "} else if (entries.length === 0 && known.sequence < top.sequence) {",
    "} else if (false) {",
  ),
  continuity(
    "E1: another epoch is told",
    'effects.push(gap("epoch", known.sequence + 1, undefined, resumed));',
    "",
  ),
  continuity(
    "E1: an epoch that is back goes on",
    "left.find(({ epoch }) => epoch === top.epoch) ?? beginning",
    "beginning",
  ),
  continuity(
    "E1: what was left is remembered",
    "return [known, ...left.filter(({ epoch }) => epoch !== top.epoch)].slice(0, maxLeft);",
    "return left;",
  ),
  continuity(
    "E1: reads after the channel came up",
    "? backfill(state.known, state.left, [])\n        : { state: { ...state, again: true }",
    "? { state, effects: [] }\n        : { state: { ...state, again: true }",
  ),
  continuity(
    "E1: reads again if it came up meanwhile",
    "{ state: { ...state, again: true }, effects: [] }",
    "{ state, effects: [] }",
  ),
  continuity(
    "E1: what is heard meanwhile waits",
    "const heard = full ? [] : [...state.heard, batch];",
    "const heard = state.heard;",
  ),
  continuity(
    "S7: not more of it than a bound",
    "const full = state.heard.length >= maxHeard;",
    "const full = false;",
  ),
  continuity("E1: what was forgotten is read", "again: state.again || full", "again: state.again"),
  continuity(
    "E1: page after page to the top",
    " || known.sequence < top.sequence)\n    return backfill",
    ")\n    return backfill",
  ),
  continuity("E1: not what a taken-back log had told", "(takenBack && state.heard.length > 0) || ", ""),
  // E4: the predecessor's tag.
  continuity("E4: the predecessor of what is heard", " && entry.previous === known.tag;", ";"),
  continuity(
    "E4: the predecessor of what is read",
    "} else if (entry.previous !== known.tag) {",
    "} else if (false) {",
  ),
  continuity(
    "E4: another entry under a known number",
    "(entry.sequence === known.sequence && entry.tag === known.tag)",
    "entry.sequence === known.sequence",
  ),
  continuity(
    "E4: a log below what is known",
    " || known.sequence > top.sequence) return true;",
    ") return true;",
  ),
  continuity(
    "E4: a log of another epoch",
    "if (known.epoch !== top.epoch || known.sequence",
    "if (known.sequence",
  ),
  continuity(
    "E4: another top under its number",
    "return known.sequence === top.sequence && known.tag !== top.tag;",
    "return false;",
  ),
  continuity("E4: a log without what is known", "if (isSilent && contradicts(known, top)) {", "if (false) {"),
  continuity(
    "E4: looked at when the top is read",
    'return state.phase === "live" && contradicts(state.known, input.top)',
    "return false",
  ),
  // E2: a channel that is dead is found.
  continuity(
    "E2: behind for too long",
    'return state.phase === "live" && !hasReached(state.known, input.top)',
    "return false",
  ),
  continuity("E2: is opened anew", 'state.left, [{ type: "recycle" }])', "state.left, [])"),
  feed("E2: the top is compared", "for (const member of [...members]) member.compare(tops);", ""),
  feed(
    "E2: judged after a while",
    "members].map((member) => member.judge(tops))",
    "members].map(() => ({ reached: true, dead: false }))",
  ),
  feed("E2: not before", "await pause(checkIntervalMs / 5);", ""),
  feed("E2: within one interval", "await pause(checkIntervalMs / 2);", "await pause(checkIntervalMs * 2);"),
  feed("E2: recycled", "if (dead && up) recycle();", ""),
  feed("E2: and then left alone", "if (dead && up) recycle();", "if (dead) recycle();"),
  feed("E2: not live without an answer", "report({ reached: false, dead: false });", ""),
  feed("E2: live is what has reached the top", "live = reached;", ""),
  feed("E2: a late subscription is told that the channel is up", "else if (up) member.connected();", ""),
  subscription(
    "E2: a slow consumer is no dead channel",
    "if (waitingForRoom.size === 0 && (",
    "if ((true) && (",
  ),
  redis(
    "E2: the connection is opened anew",
    'if (connections.subscriber.state === "ready") connections.subscriber.recycle(reason);',
    "",
  ),
  // E1: the loop around the core.
  subscription(
    "E1: a failed read is repeated",
    "onError(error);\n        await clock",
    "onError(error);\n        return undefined;\n        await clock",
  ),
  subscription(
    "E1: positions are read before `now`",
    'places.includes("now") ? await retried(() => log.position(topic)) : [];',
    "[];",
  ),
  subscription("E1: the cursor of a gap", "places[partition] = known;\n        onItem", "onItem"),
  subscription(
    "nothing after it was closed",
    "if (stop.signal.aborted) return false;\n      if (effect",
    "if (effect",
  ),
  cursor("E1: a cursor of this topic", "name === topic && known.length", "known.length"),
  cursor("E1: of all partitions", " && known.length === partitions)", ")"),
  script("E1: read from the oldest entry in another epoch", "if ARGV[2] == epoch then", "if true then"),
  memory("E1: dense sequences", "sequence: top.sequence + 1 + index", "sequence: top.sequence + 1"),
  memory("E4: linked", "const previous = index === 0 ? top.tag", "const previous = index === 0 ? ''"),
  memory("S7: bounded in number", "Math.max(young, log.entries.length - maxEntries)", "young"),
  memory(
    "S7: bounded in age",
    "Math.max(young, log.entries.length - maxEntries)",
    "Math.max(0, log.entries.length - maxEntries)",
  ),
  envelope(
    "E1: an entry that is none is a hole",
    "if (tag === undefined || previous === undefined || json === undefined) return undefined;",
    'if (tag === undefined || previous === undefined || json === undefined) throw new Error("an entry");',
  ),
  script(
    "E1: what is no entry of ours is left out",
    "if fields[1] == 'tag' and fields[3]",
    "if true or fields[3]",
  ),
  // E3: what is published in one tick travels together.
  publisher("E3: together", "queue.splice(0, batchSize)", "queue.splice(0, 1)"),
  publisher("E3: up to the batch size", "queue.splice(0, batchSize)", "queue.splice(0)"),
  publisher("E3: the tick ends first", "await Promise.resolve();", ""),
  publisher("E1: no event overtakes another", "if (lane) lane.queue.push(waiting);", "if (!lane) lane;"),
  publisher("S7: a bounded queue", "lane && lane.queue.length >= maxQueued", "false"),
  // The iterator.
  iterate("E1: nothing follows an overflow", "if (failure) return;", ""),
  iterate("E1: dropped as oldest is told", "if (full) drop(buffer.shift());", "if (full) buffer.shift();"),
  iterate(
    "E1: dropped as newest is told",
    "(full || dropped.size > 0)) drop(item);",
    "(full || dropped.size > 0)) return;",
  ),
  iterate("E1: newest, until it was told", "(full || dropped.size > 0)", "full"),
  iterate("E1: the gap begins with the first that was dropped", "from: before?.from ?? from", "from"),
  iterate("S7: a bounded buffer", "const full = buffer.length >= limit;", "const full = false;"),
  iterate("a page only where it fits", "signal.aborted || used() + reserved + pageLimit <= limit", "true"),
  iterate("room is given once", "reserved += pageLimit;", ""),
  iterate("room that is free again is given", "buffer.shift();\n      reconsider();", "buffer.shift();"),
  // Others stay unharmed.
  bus(
    "a listener that throws or rejects",
    "callListener(listener, item, onListenerError);",
    "listener(item);",
  ),
  bus("an onError that throws", "const onError = safeOnError(given, logger);", "const onError = given;"),
  bus("bad names of nodes", "checkNodeId(nodeId);\n      encodeEvent", "encodeEvent"),
  bus("bad keys", "checkKey(key);", ""),
  bus("bad bounds of an iteration", "checkIterateOptions(bounds);", ""),
];
