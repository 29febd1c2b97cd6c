import { ParallaxError } from "@parallax/core";
import { z } from "zod";
import type { IndexEntry, IndexQuery } from "./store.ts";

const shape = z.tuple([z.string(), z.string(), z.string(), z.int().nonnegative(), z.string().min(1)]);

/** Where a page ended, as an opaque text that only continues its own query. */
export function formatPageCursor(collection: string, query: IndexQuery, last: IndexEntry): string {
  const parts = [collection, query.index ?? "", query.value, last.atMs, last.id];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

function decode(cursor: string): unknown {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return parts;
  } catch {
    return undefined;
  }
}

/** @throws ParallaxError `invalid_cursor` if it is none, or of another query. */
export function parsePageCursor(collection: string, query: IndexQuery, cursor: string): IndexEntry {
  const parsed = shape.safeParse(decode(cursor));
  if (parsed.success) {
    const [ofCollection, index, value, atMs, id] = parsed.data;
    if (ofCollection === collection && index === (query.index ?? "") && value === query.value) {
      return { atMs, id };
    }
  }
  const found = parsed.success ? "this is one of another query" : "this is none";
  const message = `listing ${collection} from a cursor: ${found}; begin without a cursor`;
  throw new ParallaxError("invalid_cursor", message, { details: { collection } });
}
