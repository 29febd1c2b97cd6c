// The guards that the invariants rest on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const lease = inFile("lease.ts", "unit");
const candidate = inFile("candidate.ts", "unit");
const holder = inFile("holder.ts", "unit");
const reign = inFile("reign.ts", "unit");
const campaign = inFile("campaign.ts", "unit");
const election = inFile("election.ts", "unit");
const options = inFile("options.ts", "unit");
const wake = inFile("wake.ts", "unit");
const scripts = inFile("redis-scripts.ts", "redis");

/** Files of tests by the names that the mutations use. */
export const suites = {
  unit: ["candidate", "holder", "election.test", "memory", "known-bugs", "health-check", "watchdog.test"],
  redis: ["redis.test", "redis-rules"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  lease("L1: above the last term", "(reading.record?.term ?? 0) + 1", "0"),
  lease("L1: above the store's time", "Math.floor(reading.storeTimeMs), aboveTerm + 1", "aboveTerm + 1"),
  lease("L1: above the fence", ", aboveTerm + 1)", ", 0)"),
  lease("L2: decided under this lineage", "if (request.lineage !== reading.lineage) return false;", ""),
  lease("L2: the expected term", "record?.term !== expected?.term || ", ""),
  lease("L2: the expected renewal", " || record?.renewal !== expected?.renewal", ""),
  lease("L2: vacant only on an old store", " && reading.storeRemembersMs > request.leaseDurationMs", ""),
  lease("L2: vacant only without a record", "return record === undefined && reading", "return reading"),
  lease("L2: a record of this lineage", " || record.lineage !== reading.lineage", ""),
  lease("L2: expired by the store's clock", " && storeTimeMs >= record.expiresAtMs", ""),
  lease("a reserved tombstone", " && !reservedForAnother", ""),
  lease(
    "L5: renewing needs the incarnation",
    "record.incarnation === incarnation && record.state",
    "record.state",
  ),
  lease(
    "no renewal of a tombstone",
    ' && record.state === "held";\n  const isBelowOurs',
    ";\n  const isBelowOurs",
  ),
  lease("writing anew only while valid", "!(isBelowOurs && request.reassert)", "!isBelowOurs"),
  lease("writing anew at all", "!(isBelowOurs && request.reassert)", "true"),
  lease(
    "a late copy makes nothing younger",
    "Math.max(isOurs ? record.heldForMs : 0, request.heldForMs)",
    "request.heldForMs",
  ),
  lease(
    "L2: no renewal number twice",
    "record.renewal + 1 : Math.floor(storeTimeMs)",
    "record.renewal + 1 : 1",
  ),
  lease("L2: a renewal shows", "record.renewal + 1 : Math", "record.renewal : Math"),
  lease("L2: a record anew is not believed", 'record, request) : ""', "record, request) : reading.lineage"),
  lease("L2: a lineage only for who heard", "return hasHeard ? present : record.lineage", "return present"),
  lease("L2: heard under this lineage", "seen.lineage === present && ", ""),
  lease("L2: heard of this renewal", " && seen.renewal === record.renewal", ""),
  lease(
    "releasing needs the term and incarnation",
    "if (record?.term !== request.term || record.incarnation !== request.incarnation) return undefined;",
    "if (!record) return undefined;",
  ),
  lease("a loss is marked once", "if (reading.record) return undefined;", ""),
  lease(
    "a placeholder is not believed",
    '    lineage: "",\n    priority: 0,\n    reservedFor: undefined,\n    reservedUntilMs: 0,\n    termsGranted,',
    "    lineage: reading.lineage,\n    priority: 0,\n    reservedFor: undefined,\n    reservedUntilMs: 0,\n    termsGranted,",
  ),
  lease("depose is above all terms", "term: nextTerm(reading, 0)", "term: record?.term ?? 0"),

  candidate("T3: store time only where it agrees", "state.believesStoreTime ? take", "true ? take"),
  candidate("B1: believed since before the record", "      wentAlike(before) &&\n", ""),
  candidate("B1: believed at every look", "(!isSame || state.believesStoreTime) &&\n", "\n"),
  candidate(
    "B1: renewals as far apart as for the holder",
    "return storeMs >= after.heldForMs",
    "return true || storeMs >= after.heldForMs",
  ),
  candidate("B1: renewals of one term", "before.term !== after.term || ", ""),
  candidate("T3: not ahead", "storeMs <= ownMs - later.roundTripMs + toleranceMs && ", ""),
  candidate("T3: not behind", " && storeMs >= ownMs + earlier.roundTripMs - toleranceMs", ""),
  candidate(
    "T3: the same process of the store",
    "if (earlier.reading.storeRunId !== later.reading.storeRunId) return false;",
    "",
  ),
  candidate(
    "L2: the wait starts with each renewal",
    "    one.record?.renewal === other.record?.renewal &&\n",
    "",
  ),
  candidate("L2: the wait starts with each lineage", "one.lineage === other.lineage &&", "true &&"),
  candidate(
    "L2: as long as the holder's lease",
    "Math.max(rules.leaseDurationMs, record?.leaseDurationMs ?? 0)",
    "rules.leaseDurationMs",
  ),
  candidate(
    "L2: never longer asleep than a lease",
    "Math.min(afterMs, leftToWaitMs, rules.leaseDurationMs)",
    "afterMs",
  ),
  candidate("L2: a missing record only for who never saw one", " && !state.sawRecord", ""),
  candidate("L2: a missing record only on an old store", " && storeRemembersMs > rules.leaseDurationMs", ""),
  candidate("L2: onMissingRecord", 'rules.onMissingRecord === "acquire" && ', ""),
  candidate(
    "B2: nothing of another lineage",
    "if (record.lineage !== lineage) return look(leftToWaitMs);",
    "",
  ),
  candidate(
    "ghosts are given back",
    'record?.state === "held" && record.incarnation === rules.incarnation',
    "false",
  ),
  candidate("a challenger waits for a lease", " || candidateForMs < rules.leaseDurationMs", ""),

  holder(
    "L3: the deadline ends the term",
    'if (leftMs <= 0) return { step: "end", reason: "deadline" };',
    "",
  ),
  holder(
    "L3: the abort comes before the deadline",
    " - rules.abortMarginMs;\n  if (leftMs",
    ";\n  if (leftMs",
  ),
  holder(
    "T3: a holder counts the most",
    "rules.renewDeadlineMs - clock.elapsedAtMost(state.confirmedAt)",
    "rules.renewDeadlineMs - clock.elapsedAtLeast(state.confirmedAt)",
  ),
  holder(
    "T3: held for the most",
    "Math.ceil(clock.elapsedAtMost(state.attemptedAt))",
    "Math.ceil(clock.elapsedAtMost(state.grantedAt)) - state.heldForMs",
  ),
  holder("T1: from the mark before sending", "confirmedAt: sentAt };", "confirmedAt: now };"),
  holder("L3: replicas must acknowledge", "if (outcome.replicas < rules.replicas) return next;", ""),
  holder("L3: the grant, too", "grant.replicas >= rules.replicas ? sentAt : undefined", "sentAt"),
  holder("L3: invalid for ever", "if (!wasValid)\n", "if (false)\n"),
  holder(
    "L3: invalid after the deadline",
    'state.isInvalid || ending.reason === "deadline"',
    "state.isInvalid",
  ),
  holder("L3: lost is lost", "isInvalid: true, mayBeOurs: false", "mayBeOurs: true"),
  holder("L4: no release under running work", 'if (work !== "running") return', "if (true) return"),
  holder("L4: renewing while the work drains", "if (mayRenewForMs > 0) {", "if (false) {"),
  holder(
    "L4: for a renew deadline at most",
    "state.mayBeOurs ? rules.renewDeadlineMs - endingForMs : 0",
    "state.mayBeOurs ? 1 : 0",
  ),
  holder("L4: overrun is reported", "if (leaseLeftMs <= 0 && !state.hasOverrun)", "if (false)"),
  holder(
    "no writing anew when invalid",
    "const reassert = holderRemainingMs(state, rules, clock) > 0;",
    "const reassert = true;",
  ),
  holder("hints are bounded", "rules.retryPeriodMs / 10 : ", "0 : "),
  holder("a challenger is above", "challenger.priority <= rules.priority", "false"),

  reign("L3: remaining is 0 once released", "(isReleased ? 0 : ", "(false ? 0 : "),
  reign("L7: assertValid", "if (remainingMs() <= 0) throw leaseLost(grant.term);", ""),
  reign("L4: the abort", "controller.abort(isLost", "void (isLost"),
  reign(
    "L4: announced last",
    "      await untilOver(work);\n      isReleased = true;",
    '      emit({ type: "ended", term: grant.term, reason: "returned" });\n      await untilOver(work);\n      isReleased = true;',
  ),
  reign(
    "own deadline around each call",
    'await withDeadline(sent, { clock, timeoutMs, what: "renewing the lease" })',
    "await sent",
  ),
  reign("L4: the watchdog is armed", "else watchdog?.arm(", "else (() => {})("),
  reign(
    "L4: before the lease ends",
    "(state, settings, clock) - marginMs",
    "(state, settings, clock) + marginMs",
  ),
  reign(
    "L4: disarmed without work",
    'stage !== "running" || state.hasOverrun) watchdog',
    "state.hasOverrun) watchdog",
  ),
  reign(
    "L4: disarmed once reported",
    'stage !== "running" || state.hasOverrun) watchdog',
    'stage !== "running") watchdog',
  ),
  reign("L4: put off by each renewal", "    announceAbort();\n    guardWork();\n", "    announceAbort();\n"),
  reign("what work throws", "if (failure) throw failure.error;", ""),
  reign("ended only after elected", 'if (stage === "done") emit', "emit"),
  reign("away after a step-down", "settings.retryPeriodMs : 0;", "0 : 0;"),
  reign("L8: a new lineage is told", "if (state.seen.lineage !== lineage) emit", "if (false) emit"),

  campaign("L1: above what the candidate knows", "Math.max(aboveTerm, state.highestTerm)", "0"),
  campaign("cooldown", "} else if (coolingMs() > 0) {", "} else if (false) {"),
  campaign(
    "errors are tried again",
    "          context.onError(error);\n          await pause",
    "          throw error;\n          await pause",
  ),
  campaign(
    "own deadline around a look",
    "await withDeadline(sent, { clock, timeoutMs, what })",
    "await sent",
  ),
  campaign(
    "own deadline around an acquisition",
    'await withDeadline(sent, { clock, timeoutMs, what: "acquiring the lease" })',
    "await sent",
  ),
  campaign(
    "T1: the mark of the grant",
    "return { term, reading, replicas: acknowledged, sentAt };",
    "return { term, reading, replicas: acknowledged, sentAt: clock.mark() };",
  ),

  election("one run at a time", "if (isRunning) {", "if (false) {"),
  election("a grant after the stop", 'if (isStopped) reign.end("stopped");', ""),
  election("a stop ends the term", '        reign?.end("stopped");\n', ""),
  election("L6: hints are heard", "store.subscribe(wake.hint)", "store.subscribe(() => {})"),
  election("the fence of a reissue", "campaign.raise(fence);", ""),
  options(
    "relations",
    'require(leaseDurationMs > renewDeadlineMs, "leaseDurationMs > renewDeadlineMs");',
    "",
  ),
  options(
    "calls are shorter than the deadline",
    "callTimeoutMs: renewDeadlineMs / 3",
    "callTimeoutMs: renewDeadlineMs * 2",
  ),
  wake("a nudge is kept", "      isNudged = false;\n", "      isNudged = true;\n"),

  scripts("L1 in Lua: above the last term", "(record and record.term or 0) + 1", "0"),
  scripts(
    "L2 in Lua: lineage",
    "then return false end\n  local term, renewal",
    "then end\n  local term, renewal",
  ),
  scripts(
    "L2 in Lua: expected",
    "then return false end\n  if basis == 'waited'",
    "then end\n  if basis == 'waited'",
  ),
  scripts("L2 in Lua: nothing lost for a lease", " and remembers > duration end", " end"),
  scripts("a late copy in Lua", "math.max(is_ours and record.heldForMs or 0, ", "math.max(0, "),
  scripts("L2 in Lua: told to forget", "{'flushall', 'flushdb', 'swapdb'}", "{}"),
  scripts("L2 in Lua: evicted", "evicted ~= '0' or ", ""),
  scripts(
    "L5 in Lua: incarnation",
    " and record.incarnation == incarnation and record.state",
    " and record.state",
  ),
  scripts("writing anew in Lua", "(is_below and ", "(is_below or "),
  scripts(
    "a lineage only for who heard, in Lua",
    "next_lineage = has_heard and lineage or record.lineage",
    "next_lineage = lineage",
  ),
  scripts(
    "the record has no TTL",
    "redis.call('HSET', KEYS[1], unpack(parts))",
    "redis.call('HSET', KEYS[1], unpack(parts)) redis.call('PEXPIRE', KEYS[1], 60000)",
  ),
  scripts(
    "nothing fails after the first write",
    "redis.pcall('SET', KEYS[2], next.nodeId, 'PX', text(math.max(1, next.leaseDurationMs)))",
    "redis.call('SET', KEYS[2], next.nodeId, 'PX', text(next.leaseDurationMs))",
  ),
];
