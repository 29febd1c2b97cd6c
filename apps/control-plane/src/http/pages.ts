import { createHash } from "node:crypto";
import { ParallaxError } from "@parallax/core";
import type { PageQuery } from "@parallax/protocol";
import { z } from "zod";

/** One look at a list in the store. */
export interface Look {
  readonly limit: number;
  readonly cursor?: string;
}

/** Some items, and where the list goes on. */
export interface Found<Item> {
  readonly items: readonly Item[];
  readonly cursor?: string | undefined;
}

const defaultLimit = 100;

/** After so many looks a page is answered as it is: who asks for what is rare must not keep the store busy. */
const maxLooks = 8;

/**
 * A page of a list whose store filters by one field while the query may have several: looks on until the page is full.
 * The page's cursor goes on with this very query alone.
 *
 * @throws ParallaxError `invalid_cursor` for one that is none, or of another query.
 */
export async function listPage<Item>(
  query: PageQuery,
  look: (page: Look) => Promise<Found<Item>>,
): Promise<Found<Item>> {
  const { limit = defaultLimit, cursor: given, ...filters } = query;
  const list = nameOf(filters);
  let cursor = given === undefined ? undefined : openCursor(list, given);
  const items: Item[] = [];
  for (let looks = 0; looks < maxLooks; looks += 1) {
    const found = await look({
      limit: limit - items.length,
      ...(cursor === undefined ? {} : { cursor }),
    });
    items.push(...found.items);
    ({ cursor } = found);
    if (cursor === undefined || items.length >= limit) break;
  }
  return { items, cursor: cursor === undefined ? undefined : sealCursor(list, cursor) };
}

const sealed = z.tuple([z.string(), z.string().min(1)]);

/** Which query a cursor is of; the store's own part says which list. */
function nameOf(filters: object): string {
  const set = Object.entries(filters).filter(([, value]) => value !== undefined);
  return createHash("sha256").update(JSON.stringify(set.sort())).digest("base64url").slice(0, 8);
}

function sealCursor(list: string, cursor: string): string {
  return Buffer.from(JSON.stringify([list, cursor])).toString("base64url");
}

function openCursor(list: string, text: string): string {
  const parsed = sealed.safeParse(parseJson(Buffer.from(text, "base64url").toString()));
  if (!parsed.success) throw invalidCursor("this is none");
  const [of, cursor] = parsed.data;
  if (of !== list) throw invalidCursor("this is one of another query");
  return cursor;
}

function invalidCursor(found: string): ParallaxError<"invalid_cursor"> {
  return new ParallaxError("invalid_cursor", `listing from a cursor: ${found}; begin without a cursor`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
