import { z } from "zod";
import { agentLimits } from "./agent/transport.ts";

const durationHint = "must be a duration such as 250ms, 15s, 1m or 2h, or a number of milliseconds";

/**
 * A duration as people write it, `250ms`, `15s`, `1m`, `2h`, or a number of milliseconds; `parseDuration` of the core package
 * reads it. The schema checks the same grammar by a pattern, which OpenAPI can show.
 */
export const durationSchema: z.ZodType<string | number> = z
  .union(
    [
      z.number().nonnegative(durationHint),
      z.string().regex(/^\d+(?:\.\d+)?(?:ms|s|m|h)$|^\d+$/, durationHint),
    ],
    durationHint,
  )
  .meta({
    id: "Duration",
    description: "A duration: `250ms`, `15s`, `1m`, `2h`, or a number of milliseconds.",
    examples: ["30s"],
  });

/** A time in RFC 3339, in UTC, with milliseconds. */
export const timestampSchema: z.ZodType<string> = z.iso
  .datetime()
  .meta({ description: "RFC 3339, in UTC.", examples: ["2024-01-15T10:30:00.000Z"] });

/** The name of a capability: letters, digits and `. _ : / -`, at most 64, beginning with a letter or a digit. */
export const capabilitySchema: z.ZodType<string> = z
  .string()
  .regex(/^[A-Za-z0-9][\w.:/-]{0,63}$/, "must be at most 64 letters, digits and . _ : / -")
  .meta({ description: "The name of a capability.", examples: ["classification"] });

/** At least one capability. An agent must have them all. */
export const capabilitiesSchema: z.ZodType<readonly string[]> = z
  .array(capabilitySchema)
  .min(1)
  .max(agentLimits.maxCapabilities);

/** The name of a pattern: lower-case letters, digits and dashes, at most 64. */
export const patternNameSchema: z.ZodType<string> = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/,
    "must be at most 64 lower-case letters, digits and dashes between them",
  )
  .meta({ description: "The name of a pattern.", examples: ["content-classifier"] });

/** How sure an agent is of its result, from 0 to 1. */
export const confidenceSchema: z.ZodType<number> = z
  .number()
  .min(0)
  .max(1)
  .meta({ description: "How sure the agent is, from 0 to 1.", examples: [0.93] });

/** Counts attempts, connections and the like: 1, 2, 3, … */
export const ordinalSchema: z.ZodType<number> = z.int().min(1);
