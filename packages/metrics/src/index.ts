export { createMetrics } from "./create-metrics.ts";
export type { Exposition, Metrics, MetricsOptions } from "./metrics.ts";
