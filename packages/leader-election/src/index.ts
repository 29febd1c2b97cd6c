export {
  createElection,
  type DeposeResult,
  type Election,
  type ElectionEvent,
  type ElectionOptions,
  type ElectionStats,
  type LeaderInfo,
  type StepDownOptions,
  type Term,
  type TermEnd,
} from "./election.ts";
export { type LeaseHealthCheck, type LeaseHealthFinding, leaseHealthCheck } from "./health-check.ts";
export { electionPresets } from "./options.ts";
export type {
  AcquireBasis,
  AcquireOutcome,
  AcquireRequest,
  CallBounds,
  CallDeadline,
  Holder,
  LeaseReading,
  LeaseRecord,
  LeaseStore,
  ReleaseRequest,
  RenewOutcome,
  RenewRequest,
} from "./store.ts";
