import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";
import { type ClusterDiagnosis, clusterDiagnosisSchema } from "./diagnosis.ts";
import {
  type DrainRequest,
  type DrainResult,
  drainRequestSchema,
  drainResultSchema,
  type ElectRequest,
  electRequestSchema,
  type HaStatus,
  haStatusSchema,
  type LeaderChange,
  leaderChangeSchema,
} from "./ha.ts";
import { type Health, healthSchema } from "./health.ts";
import { noInput, type Operation } from "./operation.ts";

/** `GET /ha/status` */
export const getClusterStatus: Operation<HaStatus> = {
  id: "getClusterStatus",
  method: "GET",
  path: "/ha/status",
  tag: "cluster",
  summary: "Who is in the cluster, and who leads",
  role: undefined,
  input: noInput,
  answer: { statuses: { 200: "The members, sorted by id." }, schema: haStatusSchema },
  errors: [],
};

/** `GET /ha/diagnosis` */
export const diagnoseCluster: Operation<ClusterDiagnosis> = {
  id: "diagnoseCluster",
  method: "GET",
  path: "/ha/diagnosis",
  tag: "cluster",
  summary: "What the nodes know about themselves",
  description:
    "The node that answers, and every other member that it reaches: Redis as they see it, leadership, subscriptions, settings. `parallax doctor` judges by it.",
  role: "api",
  input: noInput,
  answer: { statuses: { 200: "The node that answers first." }, schema: clusterDiagnosisSchema },
  errors: [],
};

/** `POST /ha/stepdown` */
export const stepDown: Operation<LeaderChange> = {
  id: "stepDown",
  method: "POST",
  path: "/ha/stepdown",
  tag: "cluster",
  summary: "Hand leadership over",
  description: "Without a healthy standby it fails and changes nothing.",
  role: "admin",
  input: noInput,
  answer: { statuses: { 200: "Another member leads." }, schema: leaderChangeSchema },
  errors: ["no_leader", "no_standby", "election_timeout"],
};

/** `POST /ha/elect` */
export const elect: Operation<LeaderChange, { body: ElectRequest }> = {
  id: "elect",
  method: "POST",
  path: "/ha/elect",
  tag: "cluster",
  summary: "Elect a leader anew",
  description:
    "Asks the holder to step down and waits until its lease is released or has run out; with `force` it deposes the holder, fenced, even if it cannot be reached.",
  role: "admin",
  input: z.object({ query: z.strictObject({}), body: electRequestSchema }),
  answer: { statuses: { 200: "A member leads in a new term." }, schema: leaderChangeSchema },
  errors: ["election_timeout"],
};

/** `POST /ha/drain` */
export const drain: Operation<DrainResult, { body: DrainRequest }> = {
  id: "drain",
  method: "POST",
  path: "/ha/drain",
  tag: "cluster",
  summary: "Take a node out of service",
  description:
    "Its executions and agents go to other nodes, requests that still come are served, then it stops.",
  role: "admin",
  input: z.object({ query: z.strictObject({}), body: drainRequestSchema }),
  answer: { status: 202, statuses: { 202: "The drain has begun." }, schema: drainResultSchema },
  errors: ["member_not_found"],
};

const health = {
  method: "GET",
  tag: "operations",
  role: undefined,
  // Whatever a prober adds to the address, a probe is answered.
  input: z.object({}),
  errors: [],
} as const;
const healthJson = { schema: healthSchema, contentType: "application/health+json" };

/** `GET /health` */
export const getHealth: Operation<Health> = {
  ...health,
  id: "getHealth",
  path: "/health",
  summary: "How the node does, with every finding",
  answer: {
    ...healthJson,
    statuses: { 200: "It takes traffic.", 503: "It takes none: starting, draining, or cut off." },
  },
};

/** `GET /health/live` */
export const getLiveness: Operation<Health> = {
  ...health,
  id: "getLiveness",
  path: "/health/live",
  summary: "Whether the process is alive",
  description: "Depends on nothing but the process: no outage elsewhere gets a node killed.",
  answer: { ...healthJson, statuses: { 200: "It is alive." } },
};

/** `GET /health/ready` */
export const getReadiness: Operation<Health> = {
  ...health,
  id: "getReadiness",
  path: "/health/ready",
  summary: "Whether the node may take traffic",
  answer: {
    ...healthJson,
    statuses: { 200: "It may.", 503: "It is starting, draining, or cut off from Redis for too long." },
  },
};

/** `GET /metrics` */
export const getMetrics: Operation<string> = {
  id: "getMetrics",
  method: "GET",
  path: "/metrics",
  tag: "operations",
  summary: "This node's metrics",
  role: undefined,
  input: z.object({}),
  answer: { statuses: { 200: "In the format of Prometheus." }, contentType: "text/plain" },
  errors: [],
};

/** `GET /metrics/cluster` */
export const getClusterMetrics: Operation<string> = {
  id: "getClusterMetrics",
  method: "GET",
  path: "/metrics/cluster",
  tag: "operations",
  summary: "Every node's metrics, consolidated by the leader",
  role: undefined,
  input: z.object({}),
  answer: { statuses: { 200: "In the format of Prometheus." }, contentType: "text/plain" },
  errors: ["not_ready"],
};

/** `GET /openapi.json` */
export const getDescription: Operation<Readonly<Record<string, unknown>>> = {
  id: "getDescription",
  method: "GET",
  path: "/openapi.json",
  tag: "operations",
  summary: "This description",
  role: undefined,
  input: z.object({}),
  answer: { statuses: { 200: "OpenAPI 3.1." }, schema: z.record(z.string(), z.unknown()) },
  errors: [],
};

/** `GET /docs` */
export const getReference: Operation<string> = {
  id: "getReference",
  method: "GET",
  path: "/docs",
  tag: "operations",
  summary: "This description, to browse and to try",
  role: undefined,
  input: z.object({}),
  answer: { statuses: { 200: "A page." }, contentType: "text/html" },
  errors: [],
};

/** A part of the page of {@link getReference}. */
export interface FileParams {
  readonly file: string;
}

const fileParamsSchema: ObjectSchema<FileParams> = z.object({ file: z.string().max(64) });

/** `GET /docs/{file}` */
export const getReferenceFile: Operation<string, { params: FileParams }> = {
  id: "getReferenceFile",
  method: "GET",
  path: "/docs/{file}",
  tag: "operations",
  summary: "A part of the page under /docs",
  role: undefined,
  input: z.object({ params: fileParamsSchema }),
  answer: { statuses: { 200: "A script or a style sheet." }, contentType: "application/octet-stream" },
  errors: ["not_found"],
};
