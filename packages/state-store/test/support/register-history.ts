/** One operation on a single record, with when it began and ended, on one clock. */
export type Operation = {
  readonly beganMs: number;
  readonly endedMs: number;
} & (
  | { readonly type: "read"; readonly version: number; readonly value: string }
  /** A write that was acknowledged. Each writes a value that no other does. */
  | { readonly type: "write"; readonly version: number; readonly value: string }
  /** A write without an answer: it may have taken effect at any time after it began, or never. */
  | { readonly type: "unknown"; readonly value: string }
  /** A conditional write that was refused, and the version that it met. */
  | { readonly type: "refused"; readonly version: number; readonly value: string }
);

/**
 * Why a history of one record is not linearizable; empty if it is.
 *
 * Versions are dense and each belongs to one value, so the order of the writes is given, and a history is linearizable if and
 * only if every operation can be placed between its beginning and its end without contradicting that order. For such a
 * register the general search (Wing and Gong, 1993) comes down to comparing intervals.
 */
export function contradictions(operations: readonly Operation[]): readonly string[] {
  const found: string[] = [];
  const valueAt = new Map<number, string>();
  const unknown = new Set(operations.flatMap((one) => (one.type === "unknown" ? [one.value] : [])));
  const refused = new Set(operations.flatMap((one) => (one.type === "refused" ? [one.value] : [])));
  const written = new Map(operations.flatMap((one) => (one.type === "write" ? [[one.value, one]] : [])));

  for (const one of operations) {
    if (one.type !== "read" && one.type !== "write") continue;
    const other = valueAt.get(one.version);
    if (other !== undefined && other !== one.value) {
      found.push(`version ${one.version} is both ${other} and ${one.value}`);
    }
    valueAt.set(one.version, one.value);
    if (one.type !== "read") continue;
    const write = written.get(one.value);
    if (refused.has(one.value)) found.push(`read ${one.value}, which was refused`);
    else if (!write && !unknown.has(one.value)) found.push(`read ${one.value}, which nobody wrote`);
    else if (write && write.version !== one.version) {
      found.push(`${one.value} was written as version ${write.version} and read as ${one.version}`);
    }
    if (write && write.beganMs > one.endedMs) found.push(`read ${one.value} before it was written`);
  }
  const values = [...valueAt.values()];
  if (new Set(values).size !== values.length) found.push("a value took effect twice");
  return [...found, ...outOfOrder(operations)];
}

/** What ended before something else began must not have seen, or made, a later version than it. */
function outOfOrder(operations: readonly Operation[]): readonly string[] {
  const seen = operations.flatMap((one) => ("version" in one ? [one] : []));
  const byEnd = [...seen].sort((a, b) => a.endedMs - b.endedMs);
  const byBegin = [...seen].sort((a, b) => a.beganMs - b.beganMs);
  const found: string[] = [];
  let at = 0;
  let newest = { version: 0, value: "" };
  for (const one of byBegin) {
    for (let ended = byEnd[at]; ended && ended.endedMs < one.beganMs; ended = byEnd[at]) {
      if (ended.version > newest.version) newest = ended;
      at += 1;
    }
    const least = one.type === "write" ? newest.version + 1 : newest.version;
    if (one.version < least) {
      found.push(`${one.type} of version ${one.version} began after version ${newest.version} had been seen`);
    }
  }
  return found;
}
