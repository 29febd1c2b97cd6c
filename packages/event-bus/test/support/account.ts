import { parseCursor } from "../../src/cursor.ts";
import type { Delivered, Gap } from "../../src/event-bus.ts";
import type { LogPage, LogPosition } from "../../src/store.ts";

/** What a subscription was told, and what it has to be held against. */
export interface Account {
  readonly items: readonly (Delivered | Gap)[];
  readonly topic: string;
  readonly partition: number;
  readonly partitions: number;
  /** Where the subscription began. */
  readonly start: LogPosition;
  /** The whole log as it is in the end. */
  readonly log: LogPage;
}

/**
 * E1: whatever is wrong with what a subscription was told, in words; nothing if all is accounted for. Delivered and gaps
 * together are what was appended to the history that counts, in order, without duplicates, up to its very top; and what was
 * delivered of another history is followed by a gap.
 */
export function discrepancies(account: Account): string[] {
  const { items, topic, partition, partitions, start, log } = account;
  const told = items
    .filter((item) => item.partition === partition)
    .map((item) => {
      const place = parseCursor(topic, partitions, item.cursor)[partition];
      if (typeof place !== "object") throw new Error(`${item.cursor} has no position`);
      return { item, place };
    });
  return [
    ...disorder(told, start),
    ...silentLosses(told, start, log),
    ...silentlyTakenBack(told, log),
    ...(told.length > 0 && told.at(-1)?.place.tag !== log.top.tag
      ? ["it does not end at the log's top"]
      : []),
  ];
}

type Told = readonly { readonly item: Delivered | Gap; readonly place: LogPosition }[];

function disorder(told: Told, start: LogPosition): string[] {
  const problems: string[] = [];
  const tags = new Set<string>();
  let known = start;
  for (const { item, place } of told) {
    if (item.type === "event") {
      if (tags.has(place.tag)) problems.push(`${place.sequence} was delivered twice`);
      if (place.epoch !== known.epoch || place.sequence !== known.sequence + 1)
        problems.push(`${place.sequence} was delivered after ${known.sequence} without a gap`);
      tags.add(place.tag);
    }
    known = place;
  }
  return problems;
}

function silentLosses(told: Told, start: LogPosition, { top, entries }: LogPage): string[] {
  const delivered = new Set(told.flatMap(({ item, place }) => (item.type === "event" ? [place.tag] : [])));
  // Where an epoch begins or goes on, nothing of it is reported as lost.
  const gaps = told.filter(
    ({ item, place }) => item.type === "gap" && item.reason !== "epoch" && place.epoch === top.epoch,
  );
  const reportedTo = Math.max(
    start.epoch === top.epoch ? start.sequence : 0,
    ...gaps.map(({ place }) => place.sequence),
  );
  return entries
    .filter(({ sequence, tag }) => sequence > reportedTo && !delivered.has(tag))
    .map(({ sequence }) => `${sequence} was lost in silence`);
}

function silentlyTakenBack(told: Told, { top, entries }: LogPage): string[] {
  const oldest = entries[0]?.sequence ?? top.sequence + 1;
  const kept = new Set(entries.map(({ tag }) => tag));
  const lastForeign = told.findLastIndex(
    ({ item, place }) =>
      item.type === "event" &&
      (place.epoch !== top.epoch || (place.sequence >= oldest && !kept.has(place.tag))),
  );
  const lastReport = told.findLastIndex(
    ({ item }) => item.type === "gap" && (item.reason === "rewound" || item.reason === "epoch"),
  );
  const foreign = told[lastForeign]?.place.sequence;
  return lastReport < lastForeign ? [`${foreign} was taken back in silence`] : [];
}
