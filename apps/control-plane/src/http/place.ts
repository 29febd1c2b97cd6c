import { ParallaxError } from "@parallax/core";

/** What a reader of one execution has seen last: its number, and when it was written. 0: nothing yet. */
export interface Place {
  readonly sequence: number;
  readonly atMs?: number | undefined;
}

/** @throws ParallaxError `invalid_cursor` */
export function readPlace(id: string): Place {
  if (id === "") return { sequence: 0 };
  const [, sequence, atMs] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(id) ?? [];
  if (sequence === undefined) throw invalidCursor();
  return { sequence: Number(sequence), atMs: atMs === undefined ? undefined : Number(atMs) };
}

export function writePlace({ sequence, atMs }: Place): string {
  return atMs === undefined ? String(sequence) : `${sequence}-${atMs}`;
}

/** E4: whether the log goes on from there. One that was taken back uses numbers again, for what was written at other times. */
export function goesOnFrom({ sequence, atMs }: Place, log: readonly Required<Place>[]): boolean {
  const [first] = log;
  if (sequence > (log.at(-1)?.sequence ?? 0) || sequence + 1 < (first?.sequence ?? 1)) return false;
  const seen = log.find((entry) => entry.sequence === sequence);
  return seen === undefined || atMs === undefined || seen.atMs === atMs;
}

/** The error of a `Last-Event-ID` that no stream has given. */
export function invalidCursor(): ParallaxError {
  return new ParallaxError(
    "invalid_cursor",
    "resuming events: this Last-Event-ID is none of ours; leave it out to begin now",
  );
}
