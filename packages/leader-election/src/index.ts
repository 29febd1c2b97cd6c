export type {
  DeposeResult,
  Election,
  ElectionEvent,
  ElectionOptions,
  ElectionStats,
  LeaderInfo,
  StepDownOptions,
  Term,
  TermEnd,
} from "./election.ts";
export type {
  AcquireBasis,
  AcquireOutcome,
  AcquireRequest,
  CallBounds,
  Holder,
  LeaseReading,
  LeaseRecord,
  LeaseStore,
  ReleaseRequest,
  RenewOutcome,
  RenewRequest,
} from "./store.ts";
