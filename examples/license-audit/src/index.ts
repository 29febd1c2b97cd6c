export { type AuditClient, type AuditOptions, type AuditProgress, runAudit } from "./audit.ts";
export type { AuditReport } from "./report.ts";
export { renderReport } from "./report-text.ts";
export { workload } from "./workload.ts";
