// Guards whose loss whole clusters show: `pnpm sim --guards` takes them away one by one, and plays until a promise is broken.

/**
 * @typedef {object} Guard
 * @property {string} guard What is broken.
 * @property {string} file From the root of the repository.
 * @property {string} find Occurs exactly once.
 * @property {string} replace
 * @property {{ readonly package: string, readonly guard: string }} [heldBy] Histories seldom miss it: which entry of a package's
 * `mutations.mjs` takes it away, too. Where no history breaks, that one's tests have to.
 */

/** @type {(file: string) => (guard: string, find: string, replace: string) => Guard} */
const inFile = (file) => (guard, find, replace) => ({ guard, file, find, replace });

const recovery = inFile("apps/control-plane/src/duties/recovery.ts");
const ownership = inFile("apps/control-plane/src/executions/ownership.ts");
const driver = inFile("apps/control-plane/src/executions/driver.ts");
const advance = inFile("apps/control-plane/src/executions/advance.ts");
const inbox = inFile("apps/control-plane/src/executions/inbox.ts");
const journal = inFile("apps/control-plane/src/executions/journal.ts");
const ends = inFile("apps/control-plane/src/executions/ends.ts");
const counted = inFile("apps/control-plane/src/executions/counted-time.ts");
const outcomes = inFile("apps/control-plane/src/agents/outcomes.ts");
const sessions = inFile("apps/control-plane/src/agents/sessions.ts");
const change = inFile("packages/state-store/src/change.ts");
const lease = inFile("packages/leader-election/src/lease.ts");

/** @type {readonly Guard[]} */
export const guards = [
  recovery("X1: only of owners that have ended", "if (!(await ownerCheck.hasEnded(owner))) continue;", ""),
  recovery(
    "X1: a level, of whoever has ended, not an event of who failed",
    "if (!(await ownerCheck.hasEnded(owner))) continue;",
    'if (!membership.view()?.members.some((m) => m.status === "failed" && owner.endsWith(m.incarnation))) continue;',
  ),
  {
    // A late hand-over goes to the heir that the one after it goes to, unless the members have changed between the two.
    ...recovery(
      "X1: what has another version meanwhile stays",
      "{ where: { owner }, version, fence",
      "{ fence",
    ),
    heldBy: { package: "apps/control-plane", guard: "X1: on the condition that it is as it was read" },
  },
  ownership("X2: what the index has and memory lacks", "await Promise.all(unknown.map(load));", ""),
  {
    ...ownership("X2: a look into quiet inboxes", "    await lookIntoQuietInboxes();\n", ""),
    heldBy: { package: "apps/control-plane", guard: "X2: letters whose hint was lost" },
  },
  driver(
    "X3: journaled before it leaves",
    "    if (writer.mustWrite(next)) {\n",
    "    state = next;\n    errands.run(events);\n    if (writer.mustWrite(next)) {\n",
  ),
  advance("X3: distinct agents", "return new Set(asked.map(({ agentId }) => agentId));", "return new Set();"),
  inbox("X4: one result for a task", "return `result:", "return letter.attempt + `result:"),
  outcomes(
    "X5: acknowledged once it lies in the inbox",
    "const outcome = await reports.deliver(letterOf(frame, agentId, name));",
    'const outcome = "counted";\n    void reports.deliver(letterOf(frame, agentId, name)).catch(() => {});',
  ),
  journal("X5: a write takes its letters with it", "...(enclosed.length > 0", "...(false"),
  journal(
    "X6: a lost record is written anew",
    "return restore(change, undefined, requestId);",
    'return { outcome: "not-ours" };',
  ),
  journal(
    "X6: an earlier state is brought up",
    "if (result.version < version) return restore(change, result.version, requestId);",
    "",
  ),
  ends("X6: ends are remembered", "if (change) remembered.add(change);", ""),
  recovery("X7: only the third crash is poison", "const poisonedAt = 3;", "const poisonedAt = 2;"),
  recovery(
    "X8: time without an owner",
    "const ownerlessSinceMs = value.ownerlessSinceMs ?? lastSeenMs ?? updatedAtMs;",
    "const ownerlessSinceMs = storeTime.now();",
  ),
  counted(
    "X8: time without the store",
    "return silentMs > tolerableMs ? silentMs - checkIntervalMs : 0;",
    "return 0;",
  ),
  {
    ...sessions(
      "X10: an older connection takes no session",
      'if (stored.value.connection >= hello.connection) return { outcome: "stale" };',
      "",
    ),
    heldBy: { package: "apps/control-plane", guard: "X10: an older one opens nothing" },
  },
  {
    // Whoever else writes has changed the owner as well.
    ...change(
      "S3: of a former owner or version",
      "change.version !== before.version) return false;",
      "false) return false;",
    ),
    heldBy: { package: "packages/state-store", guard: "S3: an expected version" },
  },
  change(
    "S3: where",
    "return change.where.every(([field, text]) => before.fields.get(field) === text);",
    "return true;",
  ),
  change(
    "S6: what is final stays",
    "if (isFinal(context.layout, before.fields) && !mayTouchFinal(before, change, context)) {",
    "if (false) {",
  ),
  {
    // Candidates look at the clock before they ask; the store's own look is for those that are late or mistaken.
    ...lease("L2: expired by the store's clock", " && storeTimeMs >= record.expiresAtMs", ""),
    heldBy: { package: "packages/leader-election", guard: "L2: expired by the store's clock" },
  },
];
