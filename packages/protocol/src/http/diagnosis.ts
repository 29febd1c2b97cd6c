import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";
import { timestampSchema } from "../scalars.ts";

/** One connection of a node to Redis. */
export interface RedisConnectionState {
  readonly role: string;
  readonly state: string;
  readonly roundTripMs?: number | undefined;
}

const redisConnectionStateSchema: ObjectSchema<RedisConnectionState> = z.object({
  role: z.string(),
  state: z.string(),
  roundTripMs: z.number().optional(),
});

/** A primary that a node works with. `runId` changes with each start of the server, and tells two servers apart. */
export interface RedisServer {
  readonly version: string;
  readonly runId: string;
  readonly role: string;
  readonly replicas: number;
  readonly maxmemoryPolicy: string;
  readonly appendOnly: boolean;
}

const redisServerSchema: ObjectSchema<RedisServer> = z.object({
  version: z.string(),
  runId: z.string(),
  role: z.string(),
  replicas: z.number(),
  maxmemoryPolicy: z.string(),
  appendOnly: z.boolean(),
});

/** Something that is wrong with a server, or worth knowing. */
export interface RedisFinding {
  readonly severity: "error" | "warning" | "note";
  readonly code: string;
  readonly message: string;
}

const redisFindingSchema: ObjectSchema<RedisFinding> = z.object({
  severity: z.enum(["error", "warning", "note"]),
  code: z.string(),
  message: z.string(),
});

/** A node's Redis, as this node sees it now. */
export interface RedisDiagnosis {
  readonly mode: string;
  /** Where the node looks for it, without secrets. */
  readonly address: string;
  readonly connections: readonly RedisConnectionState[];
  readonly servers: readonly RedisServer[];
  readonly findings: readonly RedisFinding[];
  /** The node's clock less that of Redis, in milliseconds. */
  readonly clockOffsetMs?: number | undefined;
  /** Why it could not be asked, if so. */
  readonly error?: string | undefined;
}

const redisDiagnosisSchema: ObjectSchema<RedisDiagnosis> = z.object({
  mode: z.string(),
  address: z.string(),
  connections: z.array(redisConnectionStateSchema),
  servers: z.array(redisServerSchema),
  findings: z.array(redisFindingSchema),
  clockOffsetMs: z.number().optional(),
  error: z.string().optional(),
});

/** What a node knows about itself that tells whether it is well. */
export interface NodeDiagnosis {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly clusterId: string;
  readonly version: string;
  readonly address: string;
  readonly zone?: string | undefined;
  /** By the node's own clock. */
  readonly observedAt: string;
  readonly uptimeMs: number;
  readonly haEnabled: boolean;
  /** The life cycle: `starting`, `ready`, `degraded`, `draining` or `stopped`. */
  readonly state: string;
  /** What its health has to say, by the name of the check. */
  readonly unwell: Readonly<Record<string, string>>;
  readonly electable: boolean;
  /** The term that it certainly holds. */
  readonly term?: number | undefined;
  readonly leaseRemainingMs: number;
  readonly renewFailures: number;
  /** The members of its last view, by the same words as in `/ha/status`. */
  readonly members: readonly {
    readonly id: string;
    readonly address: string;
    readonly status: string;
    readonly zone?: string | undefined;
  }[];
  /** Since its last acknowledged beat, at most; none before the first. */
  readonly unacknowledgedMs?: number | undefined;
  /** None where state is kept in memory. */
  readonly redis?: RedisDiagnosis | undefined;
  /** Whether all its subscriptions are at the top of their logs. */
  readonly subscriptionsLive: boolean;
  /** None before anything was published. */
  readonly syncLatencyP99Ms?: number | undefined;
  /** Events that its subscribers will never see, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
  readonly staleWritesRejected: number;
  readonly drainTimeoutMs: number;
  /** How long the platform waits between SIGTERM and SIGKILL, where the node was told. */
  readonly terminationGraceMs?: number | undefined;
  /** What has to be the same on all nodes, without secrets. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Checks a {@link NodeDiagnosis}. */
export const nodeDiagnosisSchema: ObjectSchema<NodeDiagnosis> = z
  .object({
    nodeId: z.string(),
    incarnation: z.string(),
    clusterId: z.string(),
    version: z.string(),
    address: z.string(),
    zone: z.string().optional(),
    observedAt: timestampSchema,
    uptimeMs: z.number(),
    haEnabled: z.boolean(),
    state: z.string(),
    unwell: z.record(z.string(), z.string()),
    electable: z.boolean(),
    term: z.number().optional(),
    leaseRemainingMs: z.number(),
    renewFailures: z.number(),
    members: z.array(
      z.object({ id: z.string(), address: z.string(), status: z.string(), zone: z.string().optional() }),
    ),
    unacknowledgedMs: z.number().optional(),
    redis: redisDiagnosisSchema.optional(),
    subscriptionsLive: z.boolean(),
    syncLatencyP99Ms: z.number().optional(),
    gaps: z.record(z.string(), z.number()),
    staleWritesRejected: z.number(),
    drainTimeoutMs: z.number(),
    terminationGraceMs: z.number().optional(),
    settings: z.record(z.string(), z.string()),
  })
  .meta({ id: "NodeDiagnosis", description: "What a node knows about itself." });

/** One node that was asked, with what it said or why it said nothing. */
export interface AskedNode {
  readonly nodeId: string;
  readonly address: string;
  readonly diagnosis?: NodeDiagnosis | undefined;
  readonly error?: string | undefined;
}

const askedNodeSchema: ObjectSchema<AskedNode> = z.object({
  nodeId: z.string(),
  address: z.string(),
  diagnosis: nodeDiagnosisSchema.optional(),
  error: z.string().optional(),
});

/** The answer of `GET /ha/diagnosis`: the node that answers first, then the other members that it knows. */
export interface ClusterDiagnosis {
  readonly nodes: readonly AskedNode[];
}

/** Checks a {@link ClusterDiagnosis}. */
export const clusterDiagnosisSchema: ObjectSchema<ClusterDiagnosis> = z
  .object({ nodes: z.array(askedNodeSchema) })
  .meta({ id: "ClusterDiagnosis", description: "What the nodes of a cluster know about themselves." });
