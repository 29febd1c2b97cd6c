import { describe } from "vitest";

/** The backends that suites run on. The test run prints how many tests ran on each. */
export type Backend = "memory" | "redis-standalone" | "redis-sentinel" | "redis-cluster";

/** A `describe` whose title says which backend its tests run on. */
export function describeBackend(backend: Backend, name: string, define: () => void): void {
  describe(`[${backend}] ${name}`, define);
}
