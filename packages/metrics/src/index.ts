export { consolidate, type NodeExposition } from "./consolidate.ts";
export { createMetrics } from "./create-metrics.ts";
export type { ConnectionFigures, Exposition, Figure, Metrics, MetricsOptions } from "./metrics.ts";
