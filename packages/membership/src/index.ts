export { createMembership } from "./create-membership.ts";
export type {
  Member,
  MemberReport,
  MemberStatus,
  Membership,
  MembershipEvent,
  MembershipOptions,
  View,
} from "./membership.ts";
export { type MembershipPreset, membershipPresets } from "./options.ts";
export type {
  BeatOutcome,
  BeatRequest,
  JoinOutcome,
  JoinRequest,
  MembershipStore,
  SweepOutcome,
  SweepRequest,
} from "./store.ts";
