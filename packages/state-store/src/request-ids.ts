import { type Random, randomId } from "@parallax/core";

/** How long the answer to a request is kept for its repetitions, in milliseconds. */
export const rememberedMs = 60_000;

/** How long a change may be repeated at most, in milliseconds: well below what is remembered. */
export const maxRepeatMs = 45_000;

/** As long as the text is shorter, nothing is forgotten, which spares most changes a look at every entry. */
export const prunedLength = 250;

/** How many requests a record remembers at most. One would do for one writer, but others write between its attempts. */
export const rememberedRequests = 32;

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
export function rememberRequest(requests: string, requestId: string, result: RequestResult): string {
  const entry = `${requestId}/${result.version}/${result.storeTimeMs}`;
  if (requests === "") return entry;
  if (requests.length < prunedLength) return `${entry} ${requests}`;
  const oldestMs = result.storeTimeMs - rememberedMs;
  const others = requests.split(" ").slice(0, rememberedRequests - 1);
  const old = others.findIndex((text) => Number(text.slice(text.lastIndexOf("/") + 1)) < oldestMs);
  return [entry, ...(old < 0 ? others : others.slice(0, old))].join(" ");
}

/** What that request led to, if the record remembers it. */
export function recallRequest(requests: string, requestId: string): RequestResult | undefined {
  const entry = requests.split(" ").find((text) => text.startsWith(`${requestId}/`));
  const [, version, storeTimeMs] = entry?.split("/") ?? [];
  if (version === undefined || storeTimeMs === undefined) return undefined;
  return { version: Number(version), storeTimeMs: Number(storeTimeMs) };
}

/**
 * Whether a record may have forgotten a request that was made at `sinceMs` or later, by the store's clock, and less than
 * {@link rememberedMs} ago. Only what was cut off for its number counts; if the clock went back, nothing can be said.
 */
export function mayHaveForgotten(requests: string, sinceMs: number, nowMs: number): boolean {
  if (requests.split(" ").length < rememberedRequests) return false;
  const oldestMs = Number(requests.slice(requests.lastIndexOf("/") + 1));
  return oldestMs >= sinceMs || nowMs < sinceMs;
}
