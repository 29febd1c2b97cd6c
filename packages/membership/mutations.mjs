// The guards that the invariants rest on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const table = inFile("table.ts", "table");
const sweep = inFile("sweep.ts", "rules");
const trust = inFile("trust.ts", "trust");
const sweeping = inFile("sweeping.ts", "rules");
const acknowledgement = inFile("acknowledgement.ts", "rules");
const feed = inFile("view-feed.ts", "feed");
const whole = inFile("view-feed.ts", "rules");
const span = inFile("sweep.ts", "table");
const beating = inFile("beating.ts", "loops");
const node = inFile("node.ts", "loops");
const membership = inFile("create-membership.ts", "loops");
const options = inFile("options.ts", "loops");
const lua = inFile("redis-scripts.ts", "model");
const redis = inFile("redis-scripts.ts", "redis");

/** Files of tests by the names that the mutations use. */
export const suites = {
  rules: ["invariants", "attacks"],
  table: ["test/table", "conformance", "invariants"],
  trust: ["trust"],
  feed: ["view-feed"],
  loops: ["membership.test", "options", "invariants"],
  model: ["model"],
  redis: ["test/redis.test"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  sweep("M1: a gap is forgiven", "Math.max(row.graceMs + shiftMs, leastMs)", "row.graceMs"),
  sweep("M1: a gap after a steady time is forgiven whole", "gapMs > limits.longGapMs && wasSteady", "false"),
  sweep(
    "M1: gaps that follow each other count",
    "gapMs > limits.longGapMs && wasSteady",
    "gapMs > limits.longGapMs",
  ),
  sweep(
    "M1: whoever comes back has time to beat",
    "silentMs - limits.returnAgeMs",
    "Number.NEGATIVE_INFINITY",
  ),
  sweep("M1: nobody is ahead of the clock", "leastMs), silentMs);", "leastMs), Number.POSITIVE_INFINITY);"),
  sweep("M1: one interval between sweeps is watched", "Math.max(0, gapMs - limits.watchedGapMs)", "gapMs"),
  table(
    "M1: ages begin anew under another lineage",
    'if (row.status !== "failed") draft.rows.set',
    "if (false) draft.rows.set",
  ),
  sweep("M2: a majority is spared", "due.length > 0 && doomed.length * 2 > living.length", "false"),
  sweep("M2: only a majority", "doomed.length * 2 > living.length", "doomed.length * 2 > 0"),
  sweep("M2: once", "isMass && !row.spared", "isMass"),
  sweep("M2: with who would fail soon", "Math.max(suspectAfterMs, failAfterMs - interval)", "failAfterMs"),
  table(
    "M2: who beats may be spared again",
    "beatAtMs: nowMs, graceMs: 0, spared: false, report });",
    "beatAtMs: nowMs, graceMs: 0, report });",
  ),
  acknowledgement(
    "M3: a timer finds it",
    "cancel = clock.after(Math.ceil(leftMs), check);",
    "cancel = () => {};",
  ),
  acknowledgement("M3: a sleep counts though its beat was faster", "      check();\n      cancel();\n", ""),
  acknowledgement(
    "T3: the most that can have passed",
    "clock.elapsedAtMost(last)",
    "clock.elapsedAtLeast(last)",
  ),
  membership(
    "M3: before others may fail it",
    " - settings.checkIntervalMs / 2",
    " + settings.checkIntervalMs",
  ),
  beating(
    "T1: from before the beat was sent",
    "      node.memberEpoch = answer.view?.epoch ?? beating.known?.epoch;\n      node.acknowledgement.confirm(mark);",
    "      node.memberEpoch = answer.view?.epoch ?? beating.known?.epoch;\n      node.acknowledgement.confirm(clock.mark());",
  ),
  feed("M4: no hole", "event.version !== told.version + 1", "false"),
  feed("M4: a new epoch is told", "if (told.epoch !== view.epoch) return reset(view);", ""),
  whole("M4: what is no longer kept is a reset", "if (!events) return reset(view);", "if (!events) return;"),
  feed("M4: nothing twice", "if (told.version >= view.version) return;", ""),
  feed("M4: no older view", "if (!isNewer(view, ticket)) return;", ""),
  feed(
    "M4: no epoch that is over",
    "if (view.epoch !== current.view.epoch) return isLater;",
    "if (view.epoch !== current.view.epoch) return true;",
  ),
  table(
    "M4: another lineage begins an epoch",
    "if (table.lineage !== lineage) beginEpoch(draft, moment);",
    "",
  ),
  table("M4: who has seen more shows a rewind", "known.version > draft.version", "false"),
  table("M4: a history has no hole", "missing > table.log.length", "false"),
  table("S7: a bounded log", ".slice(-maxTransitions)", ""),
  trust("M5: no slow round trip", " || last.receivedMs - last.sentMs > slowMs", ""),
  trust("M5: no late timer", "lateMs > slowMs || ", ""),
  trust("M5: clocks agree", "!agreed || ", ""),
  trust("T3: not ahead", " && passedMs <= mostMs + agreementMs", ""),
  trust("T3: not behind", "passedMs >= leastMs - agreementMs && ", ""),
  span("B7: no sweep before its sending", "nowMs < notBeforeMs || ", ""),
  span("B7: no sweep after it was given up", " || nowMs > notAfterMs", ""),
  sweeping("M7: who does not vouch does not judge", "!believed || !node.vouches", "!believed"),
  table(
    "M6: a join of an ended incarnation",
    "if (draft.ended.has(incarnation)) return { ended: true, replaced: undefined };",
    "",
  ),
  table(
    "M6: who is replaced ends",
    'end(draft, replaced.incarnation, { reason: "replaced", by: { incarnation, address }, atMs: nowMs });',
    "",
  ),
  sweep(
    "M6: who fails ends",
    'end(draft, row.incarnation, { reason: "failed", by: undefined, atMs: nowMs });',
    "",
  ),
  table(
    "M6: a beat never inserts",
    "if (isMember && row.incarnation === incarnation) {",
    "if (row !== undefined) {",
  ),
  table("M6: no row is lost within an epoch", "!ending && memberEpoch !== draft.epoch", "!ending"),
  table("M6: a lost row goes on", "if (!ending && memberEpoch !== draft.epoch) return", "if (false) return"),
  table(
    "M6: a join that comes after its leave",
    'end(draft, request.incarnation, { reason: "removed", by: undefined, atMs: nowMs });',
    "",
  ),
  table(
    "M6: a member is not declared ended",
    "row.incarnation === incarnation && row.status",
    "false && row.status",
  ),
  table("M6: ends are remembered for their time", "atMs > ending.atMs - endedRetentionMs && ", ""),
  table("S7: never more ends than a number", " && ended.size <= maxEnded", ""),
  beating("M6: another incarnation after an end", 'node.incarnation = randomId("inc_", random);', ""),
  beating(
    "M6: who was replaced stops",
    'if (reason === "replaced" && by) throw replaced(node, by.address);',
    "",
  ),
  beating(
    "M6: the end is told",
    'node.emit({ type: "ended", incarnation, reason, by: by?.incarnation });',
    "",
  ),
  membership("M6: its own end is heard of by a hint", "beating.hurry();", "{}"),
  membership("M6: a second run is another incarnation", "if (hasRun) node", "if (false) node"),
  beating("M7: no beat without vouching", 'if (!node.vouches) return "withheld";', ""),
  table("a recovery is told", 'if (row?.status === "suspect") transition', "if (false) transition"),
  table("a drain survives a suspicion", 'row.status === "failed" || row.status === "draining"', "false"),
  beating("a drain survives a rejoin", "if (node.isDraining) await", "if (false) await"),
  beating("a report too large is not sent", "if (sizeBytes > maxReportBytes) throw tooLarge(sizeBytes);", ""),
  beating(
    "beats keep a distance",
    "await pace.wait(startedMs + checkIntervalMs / 50 - clock.now(), signal);",
    "",
  ),
  node("own deadline around each call", "timeoutMs, what, signal });", "timeoutMs: 1e9, what, signal });"),
  node("leaving waits for no beat", "timeoutMs, what, signal });", "timeoutMs, what });"),
  membership("a leave is announced", "      await leave();\n", ""),
  options(
    "a beat is shorter than the interval",
    "timeoutMs > 0 && timeoutMs < checkIntervalMs",
    "timeoutMs > 0",
  ),

  lua("M1 in Lua: a gap is forgiven", "row.grace + shift, ", "row.grace, "),
  lua(
    "M1 in Lua: gaps that follow each other",
    " and swept_at - math.min(amnesty_at, now) >= fail_after",
    "",
  ),
  lua("M1 in Lua: nobody is ahead", "or -math.huge), silent)", "or -math.huge), math.huge)"),
  lua("M1 in Lua: ages begin anew", "row.grace = now - tonumber(beats[index + 1])", "row.grace = 0"),
  lua("M2 in Lua", "due > 0 and doomed * 2 > living", "false"),
  lua("M2 in Lua: once", "is_mass and not row.spared", "is_mass"),
  lua("M4 in Lua: lineage", "elseif lineage ~= current_lineage then", "elseif false then"),
  lua(
    "M4 in Lua: who has seen more",
    "tonumber(ARGV[11]) > version then begin_epoch() end\nsettle",
    "false then begin_epoch() end\nsettle",
  ),
  lua("M5 in Lua", "if now < not_before or now > not_after then", "if false then"),
  lua(
    "M6 in Lua: a join of an ended one",
    "if redis.call('ZSCORE', ENDED, incarnation) then",
    "if false then",
  ),
  lua(
    "M6 in Lua: a beat never inserts",
    "if is_member and row.incarnation == incarnation then",
    "if row then",
  ),
  lua("M6 in Lua: who fails ends", "end_incarnation(row.incarnation, { reason = 'failed' })", ""),
  redis(
    "M6 in Lua: no row is lost within an epoch",
    "if not ending and member_epoch ~= epoch then",
    "if not ending then",
  ),
  redis(
    "M4 in Lua: a table of which a part is gone",
    "and count == redis.call('ZCARD', BEATS) and count",
    "and count",
  ),
];
