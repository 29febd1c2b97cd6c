import type { IndexEntry, IndexQuery } from "./store.ts";

/**
 * One sorted set a collection and partition is all its indexes. Every member has the same score, so that members lie in the
 * order of their text: `<field>|<value>|<updated ms, 13 digits>|<id>`, and `*|<updated ms>|<id>` for every record. A value's
 * records are one range, the newest change at its end; counting is a difference of ranks; and a change moves all entries of
 * a record with one ZREM and one ZADD, under a key that can be declared before the old values are known.
 */
const separator = "|";
/** The character after the separator: no entry of a prefix sorts at or behind it. */
const behind = "}";

/** The query of the entries that every record has. */
export const everyRecord: IndexQuery = { index: undefined, value: "" };

/** Milliseconds as text that sorts like the number, until the year 2286. */
export function timeText(ms: number): string {
  return String(ms).padStart(13, "0");
}

/** A value as it stands in an entry: neither the separator nor the sign of the escape is left in it. */
export function escapeValue(value: string): string {
  return value.includes("%") || value.includes(separator)
    ? value.replaceAll("%", "%25").replaceAll(separator, "%7C")
    : value;
}

/** The inverse of {@link escapeValue}. */
export function unescapeValue(text: string): string {
  return text.replaceAll("%7C", separator).replaceAll("%25", "%");
}

function prefixOf(query: IndexQuery): string {
  return query.index === undefined ? "*" : `${query.index}${separator}${escapeValue(query.value)}`;
}

/** The member of one record in one index. */
export function formatEntry(query: IndexQuery, entry: IndexEntry): string {
  return `${prefixOf(query)}${separator}${timeText(entry.updatedAtMs)}${separator}${entry.id}`;
}

/** All members of a record, given its texts. */
export function entriesOf(
  indexes: readonly string[],
  fields: ReadonlyMap<string, string>,
  entry: IndexEntry,
): readonly string[] {
  const members = [formatEntry(everyRecord, entry)];
  for (const index of indexes) {
    const value = fields.get(index);
    if (value !== undefined) members.push(formatEntry({ index, value }, entry));
  }
  return members;
}

/** Time and id of a member; undefined if it is none. */
export function parseEntry(member: string): IndexEntry | undefined {
  const idAt = member.lastIndexOf(separator);
  const timeAt = member.lastIndexOf(separator, idAt - 1);
  const updatedAtMs = Number(member.slice(timeAt + 1, idAt));
  const id = member.slice(idAt + 1);
  return timeAt > 0 && Number.isSafeInteger(updatedAtMs) && id !== "" ? { updatedAtMs, id } : undefined;
}

/** The range of a query: from `first` on, before `end`. */
export function rangeOf(query: IndexQuery): { readonly first: string; readonly end: string } {
  const prefix = prefixOf(query);
  return { first: prefix + separator, end: prefix + behind };
}

/** The range of all values of an index that lie behind `after`. */
export function valuesRange(
  index: string,
  after: string | undefined,
): { readonly first: string; readonly end: string } {
  const first = after === undefined ? index + separator : rangeOf({ index, value: after }).end;
  return { first, end: index + behind };
}

/** The escaped value in a member of `index`. */
export function valueIn(index: string, member: string): string {
  return member.slice(index.length + 1, member.indexOf(separator, index.length + 1));
}
