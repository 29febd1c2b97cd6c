import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";

/** Where a list goes on. */
export interface PageQuery {
  /** 1 to 1000. Default 100. */
  readonly limit?: number | undefined;
  /** The `cursor` of the page before, of the same query. */
  readonly cursor?: string | undefined;
}

/** Checks a {@link PageQuery}. */
export const pageQuerySchema: ObjectSchema<PageQuery> = z.object({
  limit: z.coerce.number<string>().int().min(1).max(1000).optional(),
  cursor: cursorSchema().optional(),
});

/** A cursor: opaque, absent on the last page. */
export function cursorSchema(): z.ZodType<string> {
  return z.string().min(1).max(4096).meta({ description: "Opaque: pass it on to get the next page." });
}
