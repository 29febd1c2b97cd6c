export type {
  AcceptFrame,
  AgentFrame,
  FailureFrame,
  GoodbyeFrame,
  HeldTask,
  HelloFrame,
  ProgressFrame,
  RefuseFrame,
  ResultFrame,
  StatusFrame,
} from "./agent/agent-frames.ts";
export { type CloseReason, closeCodes, comesBack } from "./agent/close-codes.ts";
export type {
  AckFrame,
  CancelFrame,
  DrainFrame,
  ErrorFrame,
  NodeFrame,
  TaskFrame,
  TokenFrame,
  WelcomeFrame,
} from "./agent/node-frames.ts";
export {
  encodeFrame,
  type FrameError,
  type ParsedFrame,
  parseAgentFrame,
  parseNodeFrame,
} from "./agent/parse-frame.ts";
export { agentLimits, agentPath, agentSubprotocol } from "./agent/transport.ts";
export {
  type Agent,
  type AgentPage,
  agentPageSchema,
  agentSchema,
  type ListAgentsQuery,
  listAgentsQuerySchema,
} from "./http/agent.ts";
export { type Aggregation, type AggregationStrategy, aggregationSchema } from "./http/aggregation.ts";
export {
  type AskedNode,
  type ClusterDiagnosis,
  clusterDiagnosisSchema,
  type NodeDiagnosis,
  nodeDiagnosisSchema,
  type RedisConnectionState,
  type RedisDiagnosis,
  type RedisFinding,
  type RedisServer,
} from "./http/diagnosis.ts";
export { type ErrorBody, errorBodySchema } from "./http/error-body.ts";
export { type ErrorCode, errorStatuses, isErrorCode } from "./http/error-codes.ts";
export {
  type ClusterEvent,
  clusterEventSchema,
  type EventGap,
  type EventsQuery,
  type EventTopic,
  eventGapSchema,
  eventsQuerySchema,
  eventTopics,
  parseStreamEvent,
  type RawStreamEvent,
  type StreamEvent,
} from "./http/events.ts";
export {
  type Execution,
  type ExecutionError,
  type ExecutionPage,
  type ExecutionStatus,
  executionErrorSchema,
  executionPageSchema,
  executionSchema,
  executionStatuses,
  executionStatusSchema,
  isFinal,
  type ListExecutionsQuery,
  listExecutionsQuerySchema,
  type SubmitExecution,
  type SubmitOptions,
  type SubmitQuery,
  submitExecutionSchema,
  submitOptionsSchema,
  submitQuerySchema,
  type Task,
  taskSchema,
  writtenOptionsSchema,
} from "./http/execution.ts";
export {
  type DrainRequest,
  type DrainResult,
  drainRequestSchema,
  drainResultSchema,
  type ElectRequest,
  electRequestSchema,
  type HaMember,
  type HaStatus,
  haMemberSchema,
  haStatusSchema,
  type LeaderChange,
  leaderChangeSchema,
} from "./http/ha.ts";
export { type Health, type HealthCheck, type HealthStatus, healthSchema } from "./http/health.ts";
export {
  diagnoseCluster,
  drain,
  elect,
  type FileParams,
  getClusterMetrics,
  getClusterStatus,
  getDescription,
  getHealth,
  getLiveness,
  getMetrics,
  getReadiness,
  getReference,
  getReferenceFile,
  stepDown,
} from "./http/node-operations.ts";
export { type ApiDescriptionOptions, allOperations, describeApi } from "./http/openapi.ts";
export {
  inputHeaders,
  type Operation,
  type OperationAnswer,
  type OperationInput,
  pathOf,
} from "./http/operation.ts";
export {
  cancelExecution,
  connectAgent,
  getAgent,
  getExecution,
  getPattern,
  type IdempotencyHeaders,
  type IdParams,
  listAgents,
  listExecutions,
  listPatterns,
  type NameParams,
  putPattern,
  type ResumeHeaders,
  retryExecution,
  streamEvents,
  streamExecutionEvents,
  submitExecution,
} from "./http/operations.ts";
export { type PageQuery, pageQuerySchema } from "./http/page.ts";
export {
  type ListPatternsQuery,
  listPatternsQuerySchema,
  type Pattern,
  type PatternDefinition,
  type PatternList,
  patternDefinitionSchema,
  patternListSchema,
  patternSchema,
  writtenPatternDefinitionSchema,
} from "./http/pattern.ts";
export { agentIdSchema, executionIdSchema, parseTaskId, taskIdOf, taskIdSchema } from "./ids.ts";
export type { ObjectSchema } from "./object-schema.ts";
export { capabilitySchema, durationSchema, patternNameSchema } from "./scalars.ts";
