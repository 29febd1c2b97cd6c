import { describeChanges } from "./conformance/changes.ts";
import { type Capabilities, createRun, type RecordSpace, type TestApi } from "./conformance/harness.ts";
import { describeIndexes } from "./conformance/indexes.ts";
import { describeSafety } from "./conformance/safety.ts";
import { describeSiblings } from "./conformance/siblings.ts";
import { describeUpkeep } from "./conformance/upkeep.ts";

export type { Capabilities, RecordSpace, TestApi } from "./conformance/harness.ts";

/**
 * The suite that every {@link RecordBackend} has to pass.
 *
 * `makeSpace` is called once for each test and gives an empty space.
 */
export function recordBackendConformance(
  api: TestApi,
  makeSpace: () => Promise<RecordSpace>,
  capabilities: Capabilities,
): void {
  const run = createRun(makeSpace);
  api.describe("changes", () => describeChanges(api, run));
  api.describe("safety", () => describeSafety(api, run));
  api.describe("inbox, log and events", () => describeSiblings(api, run));
  api.describe("indexes", () => describeIndexes(api, run));
  api.describe("upkeep", () => describeUpkeep(api, run, capabilities));
}
