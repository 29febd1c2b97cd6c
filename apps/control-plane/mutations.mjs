// The guards that X1 to X10 rest on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const recovery = inFile("duties/recovery.ts", "recovery");
const heirs = inFile("duties/heirs.ts", "recovery");
const takers = inFile("peers.ts", "recovery");
const ownerCheck = inFile("duties/owner-check.ts", "recovery");
const duties = inFile("duties/duties.ts", "recovery");
const ownership = inFile("executions/ownership.ts", "ownership");
const handOver = inFile("executions/hand-over.ts", "ownership");
const ends = inFile("executions/ends.ts", "ownership");
const advance = inFile("executions/advance.ts", "driving");
const driver = inFile("executions/driver.ts", "driving");
const writer = inFile("executions/record-writer.ts", "driving");
const turn = inFile("executions/turn.ts", "driving");
const seeking = inFile("executions/seeking.ts", "driving");
const journal = inFile("executions/journal.ts", "journal");
const exchange = inFile("executions/exchange.ts", "exchange");
const deliveries = inFile("executions/deliveries.ts", "exchange");
const functions = inFile("executions/function-runner.ts", "functions");
const aggregation = inFile("executions/aggregation.ts", "functions");
const aggregator = inFile("executions/aggregator.ts", "functions");
const submission = inFile("executions/submission.ts", "catalog");
const peers = inFile("peers.ts", "catalog");
const catalog = inFile("executions/catalog.ts", "catalog");
const sessions = inFile("agents/sessions.ts", "agents");
const hub = inFile("agents/hub.ts", "agents");
const outcomes = inFile("agents/outcomes.ts", "agents");
const assignments = inFile("agents/assignments.ts", "agents");
const connection = inFile("agents/connection.ts", "connections");
const reading = inFile("agents/reading.ts", "connections");
const rounds = inFile("agents/rounds.ts", "rounds");
const progress = inFile("agents/progress.ts", "progress");
const door = inFile("agents/gateway.ts", "door");
const audit = inFile("executions/audit.ts", "audit");
const life = inFile("node/life.ts", "attacks");
const told = inFile("drain.ts", "attacks");
const drain = inFile("drain.ts", "sleep");
const leaving = inFile("executions/hand-over.ts", "sleep");
const again = inFile("executions/ends.ts", "attacks");
const repeated = inFile("executions/catalog.ts", "attacks");
const stream = inFile("http/events.ts", "streams");
const place = inFile("http/place.ts", "streams");
const creation = inFile("executions/journal.ts", "sleep");

/** Files of tests by the names that the mutations use. */
export const suites = {
  recovery: ["duties/"],
  ownership: ["executions/ownership"],
  driving: ["executions/advance", "executions/driver", "executions/turn"],
  journal: ["executions/journal"],
  exchange: ["executions/exchange", "executions/deliveries"],
  functions: ["executions/function-runner", "executions/aggregator"],
  catalog: ["executions/catalog", "executions/submission", "test/peers"],
  agents: ["agents/sessions", "agents/hub"],
  connections: ["agents/connection"],
  rounds: ["agents/rounds"],
  progress: ["agents/progress"],
  door: ["agents/gateway", "node/hostile"],
  audit: ["executions/audit"],
  attacks: ["test/attacks"],
  sleep: ["test/sleep"],
  streams: ["http/events"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  // X1: what ended processes own is handed to live ones, round after round, and nothing else.
  recovery("X1: only of who has ended", "if (!(await ownerCheck.hasEnded(owner))) continue;", ""),
  recovery(
    "X1: on the condition that it is as it was read",
    "const condition = { where: { owner }, version, fence: term.token };",
    "const condition = { fence: term.token };",
  ),
  recovery("L7: under the fence", "version, fence: term.token };", "version };"),
  recovery("X1: a member's end is looked into at once", "if (endings.has(type)) wake();", ""),
  recovery(
    "X2: the heirs are told",
    'send(nodeId, { type: "adopt", from: options.nodeId });',
    "void [nodeId, send];",
  ),
  recovery("X1: page after page", "if (cursor === undefined || done === 0) return count;", "return count;"),
  heirs("X1: as far as there is room", "({ room, since }) => since.count < room", "() => true"),
  heirs(
    "X1: what was given since the beat takes room",
    "known?.beatAtMs === beatAtMs ? known : { beatAtMs, count: 0 }",
    "{ beatAtMs, count: 0 }",
  ),
  heirs("X1: in turn", "isBetter(other, one) ? other : one", "one"),
  heirs("X1: nothing for who has only come", "settled.length > 0 ? settled : takers", "takers"),
  heirs("X1: unless there is no other", "settled.length > 0 ? settled : takers", "settled"),
  heirs("X9: to who has the function", "able.length > 0 ? able : heirs", "heirs"),
  heirs("X9: to somebody if nobody has it", "able.length > 0 ? able : heirs", "able"),
  takers(
    "X1: nothing for who drains or has failed",
    'return status === "healthy" || status === "suspect";',
    "return Boolean(status);",
  ),
  ownerCheck("X1: a member lives", 'if (member && member.status !== "failed") {', "if (false) {"),
  ownerCheck("X1: a failed member may live", "if (member) return false;", ""),
  ownerCheck(
    "X1: absent for the whole time",
    "if (clock.elapsedAtLeast(since) < absentMs) return false;",
    "",
  ),
  ownerCheck("T3: the least time that can have passed", "clock.elapsedAtLeast", "clock.elapsedAtMost"),
  ownerCheck(
    "X1: absence counts anew after it was seen",
    "absentSince.delete(owner);\n        return false;",
    "return false;",
  ),
  ownerCheck(
    "X1: the store has the last word",
    "return membership.declareEnded(incarnation);",
    "return true;",
  ),
  duties("L8: the fence before the first read", "if (await raiseFence(term)) await", "await"),

  // X2: the record decides, messages are hints.
  ownership(
    "X2: what is owned and not known is taken up",
    "filter((id) => !drivers.has(id));\n    if",
    "filter(() => false);\n    if",
  ),
  ownership(
    "X2: what another one owns is let go",
    "stored.value.owner !== owner() && !isFinal(stored.value.status)) drivers",
    "false) drivers",
  ),
  ownership(
    "X2: only the owner drives",
    " || record.owner !== owner()) return undefined",
    ") return undefined",
  ),
  ownership("X2: page after page", "while (cursor !== undefined)", "while (false)"),
  ownership("X2: letters whose hint was lost", "await lookIntoQuietInboxes();", ""),
  ownership(
    "X2: letters that came while it was loaded",
    "if (driver) for (const letter of letters) driver.push(letter);",
    "if (driver) return;",
  ),
  ownership("X2: what ended is forgotten", "for (const driver of [...drivers.values()]) driver.drop();", ""),
  life("X2: looks at its records at all times", "      look();\n      await sleep", "      await sleep"),
  life("X6: looks after a gap", "look(() => node.work.ownership.recheck());", "void type;"),

  // X3: journaled before it leaves, and never two tasks for one agent.
  driver(
    "X3: written before anything leaves",
    "    if (writer.mustWrite(next)) {",
    "    state = next;\n    errands.run(events);\n    if (writer.mustWrite(next)) {",
  ),
  driver("X3: nothing leaves after it was dropped", "if (isOver) return false;\n    errands", "errands"),
  turn("X3: another assignment must be written", "written?.assignments === next.assignments &&\n      ", ""),
  turn("X8: a failure must be written", " &&\n      written.failures === next.failures", ""),
  advance(
    "X3: only a task that waits is assigned",
    'task.status === "waiting"\n          ? {',
    "true\n          ? {",
  ),
  advance(
    "X3: who was asked for another task is excluded",
    "return new Set(asked.map(",
    "return new Set([].map(",
  ),
  advance("X3: who refused is not", "({ refused }) => !refused", "() => true"),
  seeking(
    "X3: nor who is held for another task",
    "return new Set([...excluded(taskId), ...held]);",
    "return excluded(taskId);",
  ),
  exchange("X3: nobody else's task is sent", "assignment?.agentId !== agentId || ", ""),
  exchange(
    "X3: nor another attempt",
    " || attemptOf(task) !== attempt) return undefined",
    ") return undefined",
  ),
  exchange("X3: an excluded agent is given back", "wanted && !wanted.excluded().has(agentId)", "wanted"),
  exchange(
    "an offer is held until its task comes",
    "keep(key, offerHoldMs, () => roster.release(agentId, taskId));",
    "roster.release(agentId, taskId);",
  ),
  exchange(
    "an offer that nobody takes up ends",
    "keep(key, offerHoldMs, () => roster.release(agentId, taskId));",
    "keep(key, offerHoldMs, () => {});",
  ),
  exchange(
    "what has its result is not brought again",
    "if (Object.hasOwn(inbox, resultKey(taskId))) return undefined;",
    "",
  ),
  deliveries("what is not accepted is sent again", "Math.min(resendEveryMs, leftMs)", "leftMs"),
  deliveries("only its own attempt is accepted", "if (entry?.delivery.attempt === attempt) entry", "entry?"),

  // X4: one result for a task.
  advance("X4: the first result stays", "if (state.results.has(letter.taskId)) return state;", ""),
  advance("X4: only who was asked answers", "if (!task || !asked || ", "if (!task || "),
  advance(
    "X4: what is aggregated is settled",
    ' || state.record.status === "aggregating") return state;',
    ") return state;",
  ),
  advance("S6: nothing changes what has ended", "if (isFinal(state.record.status)) return state;", ""),
  advance("X4: a former attempt's failure is none", "attemptOf(task) === attempt", "true"),
  driver(
    "X4: a second agent's letter is put in by itself",
    "assignments.length === 1",
    "assignments.length > 0",
  ),
  ownership(
    "X4: another result is superseded",
    'return result.outcome === "ok" || result.value === text ? "counted" : "superseded";',
    'return "counted";',
  ),
  ownership(
    "X4: who was not asked is superseded",
    'assignment.agentId === letter.agentId ? "asked" : "superseded"',
    '"asked"',
  ),
  ownership(
    "X4: what comes after the end is superseded",
    'if (isFinal(record.status) || record.status === "aggregating") return "superseded";',
    "",
  ),

  // X5: one writer, any node for the inbox.
  journal(
    "X5: what is counted lies in the inbox before",
    "if (deposits.length > 0) await Promise.all(deposits.map((deposit) => deposit()));",
    "void deposits;",
  ),
  journal("X5: only the owner writes", "where: { owner },\n      requestId,", "requestId,"),
  journal(
    "X5: only what it knows",
    "      version,\n      where: { owner },\n      requestId,",
    "      where: { owner },\n      requestId,",
  ),
  journal("S2: its own write is recognized", "      requestId,\n      event", "      event"),
  ownership("X5: an owner elsewhere is woken", "else if (!driver) send(", "else if (false) send("),
  ownership(
    "X5: an adopter reads the inbox",
    "const letters = readInbox(inbox);",
    "const letters: Letter[] = [];",
  ),
  driver(
    "X5: an adopter aggregates what was used",
    'if (state.record.status === "aggregating") state = withResults',
    "if (false) state = withResults",
  ),
  driver("X5: letters of a driver that ended", "if (isOver) return enclosure.put();", ""),
  writer(
    "X5: letters that it had when it ended",
    "      writer.depositAll();\n      if (version === 0)",
    "      if (version === 0)",
  ),
  driver("X5: letters without a write", "} else if (writer.hasLetters()) depositSoon.ask();", "}"),
  outcomes(
    "X5: acknowledged when it lies there",
    "const outcome = await reports.deliver(letterOf(frame, agentId, name));",
    'const outcome = "counted";\n    void reports.deliver(letterOf(frame, agentId, name));',
  ),

  // X6: a living owner writes anew what was taken back.
  journal(
    "X6: a record that is gone",
    "return restore(change, undefined, requestId);",
    'return { outcome: "not-ours" };',
  ),
  journal("X6: a record that went back", "if (result.version < version) return", "if (false) return"),
  journal("X6: nobody else's", "where: { owner },\n    });", "});"),
  journal("X6: with its letters", "for (const letter of letters) await", "for (const letter of []) await"),
  ownership(
    "X6: a record that is gone is noticed",
    "if (!stored) drivers.get(id)?.restore();",
    "if (!stored) return;",
  ),
  ownership(
    "X6: a record that went back is noticed",
    "else if (stored < version) drivers.get(id)?.restore();",
    "",
  ),
  ownership(
    "X6: a letter that is gone",
    "for (const letter of lost) await putIn",
    "for (const letter of []) await putIn",
  ),
  ownership(
    "X6: an attempt that was taken back",
    'if (!assignment) return "unknown";',
    'if (!assignment) return "superseded";',
  ),
  ownership("X6: ends are remembered", "ends.note(driver.finalChange());", ""),
  ownership("X6: what ended here does not run again", " || (await ends.again(id))) return;", ") return;"),
  ends(
    "X6: ends that were taken back are found",
    '!isFinal(stored[index]?.value.status ?? "pending")',
    "false",
  ),
  journal(
    "X6: not over another of the same id",
    "if (stored.value.createdAt !== before.createdAt) return undefined;",
    "",
  ),
  again(
    "X6: no end over another of the same id",
    "if (stored && stored.value.createdAt !== change.before.createdAt) return false;",
    "",
  ),
  repeated(
    "X6: a repetition meets what is written anew",
    "const known = await ownership.recall(id);",
    "const known = undefined;",
  ),
  ends("X6: with what they were made of", "const deposits = change.letters.map", "const deposits = [].map"),
  writer("X6: what is lost is written though nothing changed", "isLost || version === 0", "version === 0"),

  // X7: poison, and functions of users.
  recovery("X7: the third death ends it", "adoptions >= poisonedAt", "false"),
  recovery("X7: a death counts", "(isCrash ? 1 : 0)", "0"),
  recovery("X7: not for what only waited", 'value.status !== "pending" && ', ""),
  handOver("X7: nobody else's is handed over", ", { where: { owner: mine } }))", ", {}))"),
  handOver("X1: its driver stops before", "driver.drop();\n    await driver.stopped();", ""),
  handOver(
    "X2: successors are told",
    'for (const heir of successors) send(heir.nodeId, { type: "adopt", from: nodeId });',
    "",
  ),
  functions(
    "X7: for so long",
    'clock.after(timeoutMs, () => fail("function_timeout"',
    'clock.after(1e8, () => fail("function_timeout"',
  ),
  functions("X7: in so much memory", "maxOldGenerationSizeMb: memoryMiB", "maxOldGenerationSizeMb: 4096"),
  functions("X7: without the node's environment", "env: {},", "env: process.env,"),
  functions("X7: its end is noticed", "onExit = () => fail(", "onExit = () => void ("),
  functions("X7: what looped is ended", "else await place.worker.terminate();", "else keep(place);"),
  functions("X7: what fails between two calls", 'worker.on("error", () => {});', ""),
  aggregation("X7: never longer than half a minute", "Math.min(longestTimeoutMs, ", "Math.max(0, "),

  place("E4: numbers that are used again for others", "seen.atMs === atMs", "true"),
  stream("E1: what is not there any more", "if (!goesOnFrom(last, log)) {", "if (false) {"),

  recovery("X7: who was told to stop has not crashed", " && value.leftBy !== owner", ""),
  told("X7: which is written as it leaves", "await leave(leaveMs);", ""),

  // X8: what our own failures cost does not count.
  recovery(
    "X8: the time without an owner",
    "adoptions, ownerlessSinceMs, deadlineAtMs };",
    "adoptions, deadlineAtMs };",
  ),
  recovery(
    "X8: from the first of several who have not driven it",
    "value.ownerlessSinceMs ?? lastSeenMs",
    "lastSeenMs",
  ),
  driver("X8: until somebody drives it", "drivenFrom(start.record, storeTime.now())", "start.record"),
  handOver(
    "X8: a hand-over takes its time",
    "...changed, ownerlessSinceMs: storeTime.now(), deadlineAtMs",
    "...changed, deadlineAtMs",
  ),
  journal("X8: the time without the journal", "return { ...result, outageMs:", "return { ...result, lost:"),
  driver("X8: is given back", 'if (byMs > 0) push({ kind: "extended", byMs });', ""),
  creation(
    "X8: a creation tells the time",
    'if (result.outcome === "created") storeTime.observe(result.storeTimeMs);',
    "",
  ),
  drain("X8: a drain looks at the time first", ', step("look at the time", lookAtTime)', ""),
  leaving(
    "X8: what has happened goes with it",
    "await driver.stopped();\n    driver.drop();",
    "driver.drop();",
  ),
  advance("X8: extends the deadline", "state.record.deadlineAtMs + event.byMs", "state.record.deadlineAtMs"),
  advance(
    "X8: a lost attempt is no failure",
    'if (!refused || !current) return { ...task, status: "waiting" };',
    'if (!refused || !current) return { ...task, status: "waiting", failures: task.failures + 1 };',
  ),
  advance("X8: a failure counts", "const failures = task.failures + 1;", "const { failures } = task;"),
  audit("X8: an agent that is gone is noticed", "!session ||", "false ||"),
  audit(
    "X8: not before its grace is over",
    " && storeTime.now() - session.updatedAtMs >= reconnectGraceMs",
    "",
  ),
  audit(
    "X8: whoever is here reports itself",
    "agentId === undefined || isHere(agentId)",
    "agentId === undefined",
  ),
  assignments(
    "X8: an agent that is elsewhere has its tasks",
    "if (place === undefined) giveUp(agentId);\n    else",
    "giveUp(agentId);\n   ",
  ),
  deliveries(
    "what is answered is not sent again",
    "if (isAnswered(delivery.taskId, delivery.attempt)) return;",
    "",
  ),
  reading("answers are no flood", "this.#frames.expect(framesPerTask);", ""),

  // What one agent does is noticed by no other.
  connection(
    "neighbours: a rest after each fault",
    "this.#reading.rest(Math.max(ms, sizeBytes / bytesPerMs, faults.take(1, nowMs)));",
    "void [ms, sizeBytes, bytesPerMs, faults];",
  ),
  connection("neighbours: a longer one after a large fault", "sizeBytes / bytesPerMs, ", ""),
  connection("neighbours: a longer one after the faults of many", ", faults.take(1, nowMs)));", "));"),
  connection("neighbours: one pong for all pings of a turn", "if (isDue) return;", ""),
  connection(
    "neighbours: no pongs for who does not read",
    "if (this.isOpen && this.unsentBytes <= highWaterBytes)",
    "if (this.isOpen)",
  ),
  reading(
    "X10: what is over is not heeded",
    "if (this.#isOver) return;\n    if (this.#pauses === 0)",
    "if (this.#pauses === 0)",
  ),
  reading("neighbours: a turn has its end", "this.#turn.take(1, nowMs)", "0"),
  reading("neighbours: pings and pongs count", "this.rest(this.#frames.take(1, nowMs));", ""),
  reading(
    "neighbours: what is over is read with rests",
    "this.#source.pause();\n      this.#clock",
    "this.#clock",
  ),
  reading("an end leaves no timer", "this.#cancelRest?.();", ""),
  reading("an end is heard of", "if (this.#pauses > 0) this.#source.resume();", ""),
  reading(
    "what was said before the end counts",
    "if (!this.#isOver) this.#taker.take(data, isBinary);",
    "void [data, isBinary];",
  ),
  reading(
    "silence counts after a stall",
    "Math.min(nowMs, this.#heardMs + lateMs)",
    "this.#heardMs + lateMs",
  ),
  rounds(
    "neighbours: a slice at a time",
    "for (const item of slice.items) look(item, lateMs);",
    "for (const { items } of slices) for (const item of items) look(item, lateMs);",
  ),
  rounds("a slice knows when it was looked at", "slice.lookedMs = nowMs;", ""),
  rounds("slices stay even", "slice.items.size < smallest.items.size", "false"),
  assignments("neighbours: an accept goes to the owner once", " || task.isAccepted", ""),
  hub(
    "an agent says how far its own tasks are",
    "if (!assignments.has(agentId, frame.taskId, frame.attempt)) return;\n        progress",
    "progress",
  ),
  progress(
    "neighbours: twice a second of one task",
    "if (lastMs !== undefined && nowMs - lastMs < taskEveryMs) return true;",
    "",
  ),
  progress("neighbours: so much of all tasks", "if (allowance.take(0, nowMs) > 0) return true;", ""),
  progress("what is followed is forgotten", "if (untilMs <= nowMs) elsewhere.delete(id);", ""),
  progress("what is followed is told again", "if (here.size > 0) tell();", ""),
  door("no frame in thousands of fragments", "maxFragments: 1024,", ""),
  door(
    "no frame in thousands of bits",
    "maxBufferedChunks: Math.max(1024, Math.ceil(maxPayloadBytes / 256)),",
    "",
  ),
  door(
    "no page for what is no handshake",
    'sockets.on("wsClientError"',
    'sockets.on("wsClientErrors" as "wsClientError"',
  ),
  door(
    "HTTP/1.1 for who would rather have HTTP/2",
    "stayOnHttp1(server, request, socket, head);\n      return;",
    "",
  ),

  // X9: with what it was accepted with.
  submission(
    "X9: with the function by content",
    "functionHash: submission.functionHash",
    "functionHash: undefined",
  ),
  catalog(
    "X9: with the definition",
    "{ ...submission, definition, functionHash }",
    "{ ...submission, definition: { ...definition, retries: 7 }, functionHash }",
  ),
  peers(
    "X9: owned by who has the function",
    "const isAble = mayOwn(self, functionHash);",
    "const isAble = true;",
  ),
  handOver("X9: handed to who has the function", "able.length > 0 ? able : successors", "successors"),
  handOver(
    "X9: on to who has it at last",
    "const heir = options.whoHas(functionHash);",
    "const heir = undefined;",
  ),
  aggregator("X9: not without it", " || !wanted) return undefined;", ") return undefined;"),

  // X10: the newer of two sockets, by the agent's own counter.
  sessions("X10: an older one opens nothing", "stored.value.connection >= hello.connection", "false"),
  sessions("X10: nor notes its end", "where: { connection },\n          ", ""),
  sessions(
    "X10: nor ends the session",
    "stored?.value.connection === connection ? stored : undefined",
    "stored",
  ),
  sessions(
    "X10: nor one that was read before",
    "{ version: stored.version, expiresInMs: null, event }",
    "{ expiresInMs: null, event }",
  ),
  hub(
    "X10: an older one that is answered last",
    "(connected.get(opened.agentId)?.counter ?? 0) > hello.connection",
    "false",
  ),
  hub(
    "X10: the older one is closed",
    'connected.get(agentId)?.connection.close(closeCodes.replaced, "the session has a newer connection");',
    "",
  ),
  hub("X10: an old word of a move", "session.counter < message.connection", "true"),
  hub("X10: another node's newer one", "session && session.counter < message.connection", "false"),
  hub(
    "X10: the end of an older one",
    "if (connected.get(agentId) !== session) return;\n    connected.delete",
    "connected.delete",
  ),
];
