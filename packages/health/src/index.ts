export { createHealth } from "./create-health.ts";
export type {
  CheckFinding,
  CheckOptions,
  Health,
  HealthOptions,
  HealthSnapshot,
  LifeCycleState,
} from "./health.ts";
export { nodeHandler } from "./node-handler.ts";
