import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";
import { timestampSchema } from "../scalars.ts";

/** One node, as the cluster sees it. */
export interface HaMember {
  readonly id: string;
  readonly address: string;
  /** `leader` where the member's own last report claims a still valid term: a split brain shows as two. */
  readonly role: "leader" | "standby";
  /** Suspected members still count as healthy. */
  readonly status: "healthy" | "unhealthy" | "draining";
  readonly lastHeartbeat: string;
  /** True while it has missed a beat but is not failed. */
  readonly suspected?: boolean | undefined;
  /** Random per process. */
  readonly incarnation?: string | undefined;
  readonly zone?: string | undefined;
  /** The term that it claims to lead in. */
  readonly term?: number | undefined;
}

/** Checks a {@link HaMember}. */
export const haMemberSchema: ObjectSchema<HaMember> = z
  .object({
    id: z.string(),
    address: z.string().meta({ examples: ["10.0.0.1:8080"] }),
    role: z.enum(["leader", "standby"]),
    status: z.enum(["healthy", "unhealthy", "draining"]),
    lastHeartbeat: timestampSchema,
    suspected: z.boolean().optional(),
    incarnation: z.string().optional(),
    zone: z.string().optional(),
    term: z.int().min(0).optional(),
  })
  .meta({ id: "HaMember", description: "One node, as the cluster sees it." });

/** The answer of `GET /ha/status`. */
export interface HaStatus {
  readonly clusterId: string;
  /** Sorted by id, numbers inside ids by their value. */
  readonly members: readonly HaMember[];
  /** The server's time of this look: ages are differences to it. */
  readonly observedAt: string;
  /** The node that answered. */
  readonly nodeId: string;
  /** False on a node that runs alone. */
  readonly enabled: boolean;
}

/** Checks a {@link HaStatus}. */
export const haStatusSchema: ObjectSchema<HaStatus> = z
  .object({
    clusterId: z.string(),
    members: z.array(haMemberSchema),
    observedAt: timestampSchema,
    nodeId: z.string(),
    enabled: z.boolean(),
  })
  .meta({ id: "HaStatus" });

/** The body of `POST /ha/elect`. */
export interface ElectRequest {
  /** Deposes the holder, fenced, even if it cannot be reached. Default false: asks it to step down, and waits. */
  readonly force: boolean;
}

/** Checks an {@link ElectRequest}. */
export const electRequestSchema: ObjectSchema<ElectRequest> = z
  .strictObject({ force: z.boolean().default(false) })
  .meta({ id: "ElectRequest" });

/** The answer of `POST /ha/stepdown` and `POST /ha/elect`. */
export interface LeaderChange {
  /** Null if nobody led. */
  readonly oldLeader: string | null;
  /** Null if nobody has taken over yet. */
  readonly newLeader: string | null;
  /** The new leader's term. */
  readonly term?: number | undefined;
  /** From the request until the new leader was seen, in milliseconds. */
  readonly tookMs: number;
}

/** Checks a {@link LeaderChange}. */
export const leaderChangeSchema: ObjectSchema<LeaderChange> = z
  .object({
    oldLeader: z.string().nullable(),
    newLeader: z.string().nullable(),
    term: z.int().min(0).optional(),
    tookMs: z.number().min(0),
  })
  .meta({ id: "LeaderChange", description: "The old and the new leader, and the time it took." });

/** The body of `POST /ha/drain`. */
export interface DrainRequest {
  /** The node to drain. Default: the one that answers. */
  readonly node?: string | undefined;
}

/** Checks a {@link DrainRequest}. */
export const drainRequestSchema: ObjectSchema<DrainRequest> = z
  .strictObject({ node: z.string().min(1).max(256).optional() })
  .meta({ id: "DrainRequest" });

/** The answer of `POST /ha/drain`: it has begun. */
export interface DrainResult {
  readonly nodeId: string;
  /** The node stops after this long at the latest, in milliseconds. */
  readonly drainTimeoutMs: number;
}

/** Checks a {@link DrainResult}. */
export const drainResultSchema: ObjectSchema<DrainResult> = z
  .object({ nodeId: z.string(), drainTimeoutMs: z.number().min(0) })
  .meta({ id: "DrainResult", description: "The drain has begun." });
