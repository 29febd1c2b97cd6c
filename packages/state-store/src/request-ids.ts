import { type Random, randomId } from "@parallax/core";

/** How long the answer to a request is kept for its repetitions, in milliseconds. */
export const rememberedMs = 60_000;

/** How long a change may be repeated at most, in milliseconds: well below what is remembered. */
export const maxRepeatMs = 45_000;

/** As long as the text is shorter, nothing is forgotten, which spares most changes a look at every entry. */
export const prunedLength = 250;

/**
 * At this length everything but what must be remembered is cut off, which spares a record that changes often a look at every
 * entry with each change: 48 entries of ids as a store makes them.
 */
export const cutLength = 750;

/** How many requests a record remembers at least, if they are not older than that. One would do for one writer, but others write between its attempts. */
export const rememberedRequests = 16;

/** What a remembered request led to. */
export interface RequestResult {
  readonly version: number;
  readonly storeTimeMs: number;
}

/** Ids that no other process and no other change has: a random part a process, and a count. [0-9a-z] only. */
export function createRequestIds(random: Random): () => string {
  const prefix = randomId("", random).slice(0, 10);
  let count = 0;
  return () => {
    count += 1;
    return prefix + count.toString(36);
  };
}

/** Whether `id` can be written into a record. */
export function isRequestId(id: string): boolean {
  return /^[\w.:-]{1,64}$/.test(id);
}

/** S2: the requests of a record as one text, the newest first: `<id>/<version>/<store time> …`. */
export function rememberRequest(
  requests: string,
  requestId: string,
  result: Pick<RequestResult, "storeTimeMs"> & { readonly version: number | "-" },
): string {
  const entry = `${requestId}/${result.version}/${result.storeTimeMs}`;
  if (requests === "") return entry;
  if (requests.length < prunedLength) return `${entry} ${requests}`;
  const oldestMs = result.storeTimeMs - rememberedMs;
  if (requests.length < cutLength && Number(requests.slice(-13)) >= oldestMs) return `${entry} ${requests}`;
  const others = requests.split(" ").slice(0, rememberedRequests - 1);
  const old = others.findIndex((text) => Number(text.slice(text.lastIndexOf("/") + 1)) < oldestMs);
  return [entry, ...(old < 0 ? others : others.slice(0, old))].join(" ");
}

/**
 * Notes behind the newest that a repeated request was refused: an earlier attempt that is still on its way must not be granted
 * what its caller has been denied.
 */
export function rememberRefusal(requests: string, requestId: string, storeTimeMs: number): string {
  const space = requests.indexOf(" ");
  const newest = space < 0 ? requests : requests.slice(0, space);
  const others = space < 0 ? "" : requests.slice(space + 1);
  const refused = rememberRequest(others, requestId, { version: "-", storeTimeMs });
  return newest === "" ? refused : `${newest} ${refused}`;
}

/** The request that led to the record's version. */
export function newestRequest(requests: string): string | undefined {
  return requests === "" ? undefined : requests.slice(0, requests.indexOf("/"));
}

/** What that request led to, if the record remembers it. */
export function recallRequest(requests: string, requestId: string): RequestResult | "refused" | undefined {
  const entry = requests.split(" ").find((text) => text.startsWith(`${requestId}/`));
  const [, version, storeTimeMs] = entry?.split("/") ?? [];
  if (version === undefined || storeTimeMs === undefined) return undefined;
  return version === "-" ? "refused" : { version: Number(version), storeTimeMs: Number(storeTimeMs) };
}

/**
 * Whether a record may have forgotten a request that was made at `sinceMs` or later, by the store's clock, and less than
 * {@link rememberedMs} ago. Only what was cut off for its number counts; if the clock went back, nothing can be said.
 */
export function mayHaveForgotten(requests: string, sinceMs: number, nowMs: number): boolean {
  if (requests === "" || requests.split(" ").length < rememberedRequests) return false;
  const oldestMs = Number(requests.slice(requests.lastIndexOf("/") + 1));
  return oldestMs >= sinceMs || nowMs < sinceMs;
}
