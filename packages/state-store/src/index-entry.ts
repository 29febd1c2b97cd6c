import type { IndexEntry, IndexQuery, Layout, StoredFields } from "./store.ts";

/**
 * One sorted set a collection and partition is all its indexes. Every member has the same score, so that members lie in the
 * order of their text: `<field>|<value>|<ms, 13 digits>|<id>`, and `*|<ms>|<id>` for every record. The time is that of the
 * record's creation, so that a change moves only the entries of values that it changes; save that a final record's entries of
 * the fields that make records final carry the time of its end, so that the oldest end is found first. A value's records are one
 * range, the newest at its end; counting is a difference of ranks; and a change moves entries with one ZREM and one ZADD, under a
 * key that can be declared before the old values are known.
 */
const separator = "|";
/** The character after the separator: no entry of a prefix sorts at or behind it. */
const behind = "}";

/** The query of the entries that every record has. */
const everyRecord: IndexQuery = { index: undefined, value: "" };

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
  return `${prefixOf(query)}${separator}${timeText(entry.atMs)}${separator}${entry.id}`;
}

/** Whether one of the fields has a value after which nothing changes any more (S6). */
export function isFinal({ final }: Pick<Layout, "final">, fields: ReadonlyMap<string, string>): boolean {
  return Object.entries(final).some(([field, values]) => {
    const text = fields.get(field);
    return text !== undefined && values.includes(text);
  });
}

/** All members of a record, given its texts. */
export function entriesOf(
  layout: Pick<Layout, "indexes" | "final">,
  fields: ReadonlyMap<string, string>,
  { id, createdAtMs, updatedAtMs }: Pick<StoredFields, "id" | "createdAtMs" | "updatedAtMs">,
): readonly string[] {
  const came: IndexEntry = { atMs: createdAtMs, id };
  // A final record never changes again, so its last change is its end.
  const ended: IndexEntry = isFinal(layout, fields) ? { atMs: updatedAtMs, id } : came;
  const members = [formatEntry(everyRecord, came)];
  for (const index of layout.indexes) {
    const value = fields.get(index);
    const entry = Object.hasOwn(layout.final, index) ? ended : came;
    if (value !== undefined) members.push(formatEntry({ index, value }, entry));
  }
  return members;
}

/** Time and id of a member; undefined if it is none. */
export function parseEntry(member: string): IndexEntry | undefined {
  const idAt = member.lastIndexOf(separator);
  const timeAt = member.lastIndexOf(separator, idAt - 1);
  const atMs = Number(member.slice(timeAt + 1, idAt));
  const id = member.slice(idAt + 1);
  return timeAt > 0 && Number.isSafeInteger(atMs) && id !== "" ? { atMs, id } : undefined;
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
