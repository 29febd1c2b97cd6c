import { type Change, eventsOf, type Layout, type MutateOptions } from "./store.ts";

/** Names of the keys that belong to one record. */
export interface RecordKeys {
  readonly record: string;
  readonly inbox: string;
  readonly log: string;
  readonly tombstone: string;
}

/** What `mutate` gets besides the layout and the changes. */
export interface MutateHead {
  readonly channel: string;
  readonly partition: number;
  /** Random: the epoch of the topic's log if it has none. */
  readonly epochCandidate: string;
  readonly maxTopicEntries: number;
  readonly maxTopicAgeMs: number;
  readonly durable: boolean;
  readonly repeatedSinceMs: MutateOptions["repeatedSinceMs"];
}

/** The first arguments of `mutate`: what all changes share. */
export function headArguments(layout: Layout, head: MutateHead): (string | number)[] {
  const finals = Object.entries(layout.final).flatMap(([field, values]) =>
    values.map((value) => [field, value] as const),
  );
  return [
    layout.topic ?? "",
    head.channel,
    head.partition,
    head.epochCandidate,
    head.maxTopicEntries,
    head.maxTopicAgeMs,
    layout.maxLogEntries,
    layout.maxInboxBytes,
    layout.schema,
    head.durable ? 1 : 0,
    head.repeatedSinceMs ?? "-",
    layout.indexes.join(" "),
    finals.length,
    ...finals.flat(),
  ];
}

/** Adds what one change needs to the keys and arguments of `mutate`. */
export function pushChange(
  keys: string[],
  args: (string | number)[],
  change: Change,
  names: RecordKeys,
  hasLog: boolean,
): void {
  keys.push(names.record);
  const deposits = change.op === "update" ? (change.deposits ?? []) : [];
  if (change.op === "deposit" || change.op === "delete" || deposits.length > 0) keys.push(names.inbox);
  if (change.op === "delete" || (change.event && hasLog)) keys.push(names.log);
  if (change.op !== "deposit" && change.op !== "migrate") keys.push(names.tombstone);

  const where = change.op === "update" || change.op === "delete" ? change.where : [];
  const present = where.filter(([, text]) => text !== undefined);
  const absent = where.filter(([, text]) => text === undefined);
  const set = setOf(change);
  const unset = unsetOf(change);
  const expiry = change.op === "create" || change.op === "update" ? change.expiry : "keep";
  const extra = extraOf(change);
  const { fence } = change;
  const events = eventsOf(change);
  const tags = events.map(({ tag }) => tag).join() || "-";
  const isPlain =
    fence === undefined && expiry === "keep" && extra === "-" && unset.length === 0 && where.length === 0;
  const counts = `${unset.length} ${present.length} ${absent.length}`;
  const rest = isPlain ? "" : ` ${fence ?? "-"} ${expiry} ${counts} ${extra}`;
  args.push(`${change.op} ${change.requestId} ${tags} ${versionOf(change)} ${set.length}${rest}`);
  args.push(change.id);
  // Without the last brace: the version of the record is put there.
  for (const { json } of events) args.push(json.slice(0, -1));
  for (const [field, text] of set) args.push(field, text);
  for (const field of unset) args.push(field);
  for (const [field, text = ""] of present) args.push(field, text);
  for (const [field] of absent) args.push(field);
  for (const [key, text] of deposits) args.push(key, text);
}

/** `<version>/<request that led to it>/`, as far as the change names them: as it stands in the record's requests. */
function versionOf(change: Change): string {
  if (!("version" in change) || change.version === undefined) return "-";
  const madeBy = change.op === "migrate" ? undefined : change.madeBy;
  return madeBy === undefined ? String(change.version) : `${change.version}/${madeBy}/`;
}

function setOf(change: Change): readonly (readonly [string, string])[] {
  if (change.op === "deposit") return [[change.key, change.value]];
  return change.op === "delete" ? [] : change.set;
}

/** Fields, or for a delete the index entries that a record which is not there may have left. */
function unsetOf(change: Change): readonly string[] {
  if (change.op === "delete") return change.leftovers;
  return change.op === "update" || change.op === "migrate" ? change.unset : [];
}

function extraOf(change: Change): string {
  if (change.op === "delete") return change.reason;
  if (change.op === "update" && change.deposits?.length) return String(change.deposits.length);
  return change.op === "migrate" ? String(change.fromSchema) : "-";
}
