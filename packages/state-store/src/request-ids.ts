import { type Random, randomId } from "@parallax/core";

/** How many requests a record remembers. One would do for one writer; others may write between an attempt and its repeat. */
const remembered = 4;

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
  return [entry, ...requests.split(" ").slice(0, remembered - 1)].join(" ");
}

/** What that request led to, if the record remembers it. */
export function recallRequest(requests: string, requestId: string): RequestResult | undefined {
  const entry = requests.split(" ").find((text) => text.startsWith(`${requestId}/`));
  const [, version, storeTimeMs] = entry?.split("/") ?? [];
  if (version === undefined || storeTimeMs === undefined) return undefined;
  return { version: Number(version), storeTimeMs: Number(storeTimeMs) };
}
