import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";

/** How a node or a part of it does. */
export type HealthStatus = "pass" | "warn" | "fail";

/** One reading of one check. More fields may be there. */
export interface HealthCheck {
  readonly status: HealthStatus;
  readonly componentType?: string | undefined;
  readonly observedValue?: unknown;
  readonly observedUnit?: string | undefined;
  readonly time?: string | undefined;
  /** Why it does not pass, and what to do. */
  readonly output?: string | undefined;
}

/** `GET /health*`, as `application/health+json` (draft-inadarei-api-health-check-06). More fields may be there. */
export interface Health {
  readonly status: HealthStatus;
  readonly version?: string | undefined;
  readonly serviceId?: string | undefined;
  readonly description?: string | undefined;
  readonly notes?: readonly string[] | undefined;
  readonly output?: string | undefined;
  readonly checks?: Readonly<Record<string, readonly HealthCheck[]>> | undefined;
}

const statusSchema = z.enum(["pass", "warn", "fail"]);

const healthCheckSchema: ObjectSchema<HealthCheck> = z.looseObject({
  status: statusSchema,
  componentType: z.string().optional(),
  observedValue: z.unknown().optional(),
  observedUnit: z.string().optional(),
  time: z.string().optional(),
  output: z.string().optional(),
});

/** Checks a {@link Health}. */
export const healthSchema: ObjectSchema<Health> = z
  .looseObject({
    status: statusSchema,
    version: z.string().optional(),
    serviceId: z.string().optional(),
    description: z.string().optional(),
    notes: z.array(z.string()).optional(),
    output: z.string().optional(),
    checks: z.record(z.string(), z.array(healthCheckSchema)).optional(),
  })
  .meta({ id: "Health", description: "Health as application/health+json." });
