/** A record as its callers see it; undefined where there is none. */
export type Seen = { readonly version: number; readonly value: string } | undefined;

/** What a call came back with. `unknown`: no answer, so that it took effect at any time after it began, or never. */
type Answer =
  | { readonly outcome: "ok" | "conflict"; readonly version: number }
  | { readonly outcome: "missing" }
  | { readonly outcome: "unknown" };

/** One operation on a single record, with when it began and ended, on one clock. Each writes a value that no other does. */
export type Operation = { readonly beganMs: number; readonly endedMs: number } & (
  | { readonly type: "read"; readonly seen: Seen }
  | {
      readonly type: "create";
      readonly value: string;
      readonly answer: Answer | { readonly outcome: "exists"; readonly seen: Seen };
    }
  /** Refused with a conflict unless the record has the version `expected`, if there is one. */
  | {
      readonly type: "update";
      readonly value: string;
      readonly expected: number | undefined;
      readonly answer: Answer;
    }
  | { readonly type: "delete"; readonly expected: number | undefined; readonly answer: Answer }
);

function same(one: Seen, other: Seen): boolean {
  return one?.version === other?.version && one?.value === other?.value;
}

/** The record after an operation, and what the operation is then answered. */
function step(
  operation: Exclude<Operation, { type: "read" }>,
  record: Seen,
): { after: Seen; answer: Answer | "exists" } {
  if (operation.type === "create") {
    if (record) return { after: record, answer: "exists" };
    return { after: { version: 1, value: operation.value }, answer: { outcome: "ok", version: 1 } };
  }
  if (!record) return { after: record, answer: { outcome: "missing" } };
  if (operation.expected !== undefined && operation.expected !== record.version) {
    return { after: record, answer: { outcome: "conflict", version: record.version } };
  }
  const version = record.version + 1;
  const after = operation.type === "update" ? { version, value: operation.value } : undefined;
  return { after, answer: { outcome: "ok", version } };
}

/** The record after an operation that takes effect now; "impossible" if it would have been answered otherwise. */
function applied(operation: Operation, record: Seen): Seen | "impossible" {
  if (operation.type === "read") return same(operation.seen, record) ? record : "impossible";
  const { after, answer } = step(operation, record);
  const given = operation.answer;
  if (given.outcome === "unknown") return after;
  if (given.outcome === "exists")
    return answer === "exists" && same(given.seen, record) ? after : "impossible";
  // The number may be the one that was expected, of another life of the record.
  if (given.outcome === "conflict") {
    const isBound = operation.type !== "create" && operation.expected !== undefined;
    return isBound && record?.version === given.version ? record : "impossible";
  }
  if (answer === "exists" || answer.outcome !== given.outcome) return "impossible";
  const versions = "version" in answer && "version" in given ? [answer.version, given.version] : [];
  return versions[0] === versions[1] ? after : "impossible";
}

function isUnknown(operation: Operation): boolean {
  return operation.type !== "read" && operation.answer.outcome === "unknown";
}

/** Operations without an answer that nobody saw the value of and that have no condition may stand in for each other. */
function kindsOfUnknown(history: readonly Operation[], unknown: readonly Operation[]): readonly string[] {
  const values = history.map((one) => {
    if (one.type === "read") return one.seen?.value;
    return one.type === "create" && one.answer.outcome === "exists" ? one.answer.seen?.value : undefined;
  });
  const seen = new Set(values);
  return unknown.map((one, at) => {
    const isSeen = "value" in one && seen.has(one.value);
    const isBound = "expected" in one && one.expected !== undefined;
    return isSeen || isBound ? `${at}` : one.type;
  });
}

/** The version that an answered operation must meet; undefined if there must be no record. */
function neededBy(operation: Operation): number | undefined {
  if (operation.type === "read") return operation.seen?.version;
  const { answer } = operation;
  if (answer.outcome === "exists") return answer.seen?.version;
  if (answer.outcome === "conflict") return answer.version;
  return answer.outcome === "ok" && operation.type !== "create" ? answer.version - 1 : undefined;
}

/**
 * Whether an operation without an answer may lead to what one of the answered ones needs. What does not can wait: it may take
 * effect at any later time just as well.
 */
function leadsOn(
  one: Operation,
  record: Seen,
  needed: readonly (number | undefined)[],
  deletes: readonly number[],
): boolean {
  if (!record) return one.type === "create" && needed.some((version) => version !== undefined);
  const needsAnother = needed.some((version) => version === undefined || version <= record.version);
  if (one.type === "delete") return needsAnother;
  // An update may also be what a delete was bound to, and that delete what is needed.
  const targets = needsAnother ? [...needed, ...deletes] : needed;
  return one.type === "update" && targets.some((version) => (version ?? 0) > record.version);
}

/** A place in the search: what is left to try there, and what is tried now. */
interface Frame {
  readonly first: number;
  readonly record: Seen;
  readonly next: Operation[];
  placed: Operation | undefined;
}

/**
 * Why a history of one record is not linearizable; undefined if it is: if every operation can be placed at one moment between
 * its beginning and its end so that all answers are those of a single record that does one after the other.
 *
 * The search of Wing and Gong (1993) with Lowe's memory of what was tried (2017): of the operations that could come next,
 * those that began before every one that is left has ended, it tries one after the other.
 */
export function contradiction(history: readonly Operation[]): string | undefined {
  const byBegin = history.toSorted((one, other) => one.beganMs - other.beganMs);
  const known = byBegin.filter((one) => !isUnknown(one));
  const unknown = byBegin.filter(isUnknown);
  const kinds = kindsOfUnknown(history, unknown);
  const placed = new Set<Operation>();
  const tried = new Set<string>();
  let furthest = 0;

  /** Which operations are placed, and what the record is then. None that began after the first has ended can be. */
  function key(first: number, record: Seen): string {
    const endMs = known[first]?.endedMs ?? 0;
    const ahead: number[] = [];
    for (let at = first + 1; (known[at]?.beganMs ?? Number.POSITIVE_INFINITY) <= endMs; at += 1) {
      const one = known[at];
      if (one && placed.has(one)) ahead.push(at);
    }
    const used = unknown.flatMap((one, at) => (placed.has(one) ? [at] : []));
    return `${first}/${ahead.join(",")}/${used.join(",")}/${record?.version}/${record?.value}`;
  }

  /** The operations that could come next, those with an answer first. One that changes nothing need not wait for another. */
  function candidates(first: number, record: Seen): Operation[] {
    const left: Operation[] = [];
    let endMs = Number.POSITIVE_INFINITY;
    for (let at = first; at < known.length; at += 1) {
      const one = known[at];
      if (!one || one.beganMs > endMs) break;
      if (placed.has(one)) continue;
      left.push(one);
      endMs = Math.min(endMs, one.endedMs);
    }
    const next = left.filter(({ beganMs }) => beganMs <= endMs);
    const harmless = next.find((one) => applied(one, record) === record);
    if (harmless) return [harmless];
    const needed = next.map(neededBy);
    const deletes = unknown.flatMap((one) =>
      one.type === "delete" && !placed.has(one) ? [one.expected ?? 0] : [],
    );
    const kindsLeft = new Set<string>();
    const open = unknown.filter((one, at) => {
      const kind = kinds[at] ?? "";
      if (placed.has(one) || one.beganMs > endMs || kindsLeft.has(kind)) return false;
      kindsLeft.add(kind);
      return leadsOn(one, record, needed, deletes);
    });
    return [...next, ...open];
  }

  /** What can be placed after the first `from` operations; undefined if that was tried before. */
  function enter(from: number, record: Seen): Frame | "tried" | "done" {
    let first = from;
    for (let next = known[first]; next && placed.has(next); next = known[first]) first += 1;
    furthest = Math.max(furthest, first);
    if (first === known.length) return "done";
    const here = key(first, record);
    if (tried.has(here)) return "tried";
    tried.add(here);
    return { first, record, next: candidates(first, record), placed: undefined };
  }

  function search(): boolean {
    const frames: Frame[] = [];
    let entered = enter(0, undefined);
    for (;;) {
      if (entered === "done") return true;
      if (entered !== "tried") frames.push(entered);
      const frame = frames.at(-1);
      if (!frame) return false;
      if (frame.placed) placed.delete(frame.placed);
      frame.placed = undefined;
      const one = frame.next.shift();
      if (!one) {
        frames.pop();
        entered = "tried";
        continue;
      }
      const after = applied(one, frame.record);
      // What changes nothing and was not answered need not be placed at all.
      if (after === "impossible" || (after === frame.record && isUnknown(one))) {
        entered = "tried";
        continue;
      }
      placed.add(one);
      frame.placed = one;
      entered = enter(frame.first, after);
    }
  }

  if (search()) return undefined;
  const stuck = known.slice(Math.max(0, furthest - 4), furthest + 5).map((one) => JSON.stringify(one));
  return `no order explains operation ${furthest} of ${known.length}:\n${stuck.join("\n")}`;
}
