import type { Collection, Stored } from "@parallax/state-store";
import type { Driver } from "./driver.ts";
import type { Ends } from "./ends.ts";
import type { ExecutionRecord } from "./record.ts";

/**
 * X6: an execution that this node drives, or that has ended here, as the store has it; written anew if it was lost. Whoever
 * repeats its submission before the next look must not begin it anew. Undefined for any other execution.
 */
export type Recall = (id: string) => Promise<Stored<ExecutionRecord> | undefined>;

export function createRecall(options: {
  readonly executions: Pick<Collection<ExecutionRecord>, "get">;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly ends: Pick<Ends, "has" | "again">;
}): Recall {
  const { executions, drivers, ends } = options;
  return async (id) => {
    const driver = drivers.get(id);
    if (!driver?.version() && !ends.has(id)) return undefined;
    const stored = await executions.get(id);
    if (stored) return stored;
    driver?.restore();
    await (driver ? driver.stopped() : ends.again(id));
    return executions.get(id);
  };
}
