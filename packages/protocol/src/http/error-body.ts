import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";

/** What every failed request is answered with. Branch on `error.code`; the message is for people. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>> | undefined;
  };
  /** Names the request in the node's log. */
  readonly requestId: string;
}

/** Checks an {@link ErrorBody}. */
export const errorBodySchema: ObjectSchema<ErrorBody> = z
  .object({
    error: z.object({
      code: z.string().meta({ description: "Stable, lower_snake_case.", examples: ["execution_not_found"] }),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
    requestId: z.string(),
  })
  .meta({ id: "Error", description: "Why a request failed." });
