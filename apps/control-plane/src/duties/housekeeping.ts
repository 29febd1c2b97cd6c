import type { Logger } from "@parallax/core";
import type { Collection, Fields } from "@parallax/state-store";
import type { AgentRecord } from "../agents/record.ts";
import type { ExecutionRecord } from "../executions/record.ts";
import type { Duty } from "./duties.ts";
import type { OwnerCheck } from "./owner-check.ts";

/** How many records one step removes; between steps other work has its turn. */
const stepSize = 200;

/** Removes what has expired, and finished executions beyond the number that is kept (S4, S7). */
export function collectionDuty(options: {
  readonly collections: readonly Collection<Fields>[];
  readonly executions: Collection<ExecutionRecord>;
  readonly maxFinished: number;
  readonly logger: Logger;
}): Duty {
  const { collections, executions, maxFinished, logger } = options;
  return {
    name: "garbage-collection",
    everyMs: 10_000,
    async run(term) {
      const fence = term.token;
      let removed = 0;
      const repeat = async (step: () => Promise<{ removed: number; more: boolean }>): Promise<void> => {
        for (let more = true; more && !term.signal.aborted; ) {
          const result = await step();
          removed += result.removed;
          more = result.more;
        }
      };
      for (const collection of collections)
        await repeat(() => collection.collectExpired({ fence, limit: stepSize }));
      const values = ["completed", "failed", "cancelled"];
      await repeat(() =>
        executions.trim({ fence, index: "status", values, max: maxFinished, limit: stepSize }),
      );
      if (removed > 0) logger.debug("collected expired records", { removed });
      // One step a round: what somebody deleted by hand may stay in the lists for a while.
      for (const collection of collections) {
        if (term.signal.aborted) return;
        const lost = await collection.forgetLost({ fence, limit: stepSize });
        if (lost.removed > 0) logger.warn("forgot records that others deleted", { entries: lost.removed });
      }
    },
  };
}

/** Puts the sessions of agents `away` that an ended node left as connected, so that they expire unless they come back. */
export function sessionDuty(options: {
  readonly agents: Collection<AgentRecord>;
  readonly ownerCheck: OwnerCheck;
  readonly graceMs: number;
  readonly now: () => number;
}): Duty {
  const { agents, ownerCheck, graceMs, now } = options;
  return {
    name: "session-cleanup",
    everyMs: 5000,
    async run(term) {
      for (const owner of Object.keys(await agents.values("owner"))) {
        if (!(await ownerCheck.hasEnded(owner))) continue;
        const page = await agents.list({ index: "owner", value: owner, limit: 1000 });
        for (const { id, version, value } of page.records) {
          const event = { type: "agent-disconnected", id, nodeId: value.nodeId };
          const set = { status: "away" as const, awayAt: new Date(now()).toISOString() };
          const condition = { version, where: { owner }, fence: term.token, expiresInMs: graceMs * 2, event };
          await agents.update(id, { set, unset: ["owner"] }, condition);
        }
      }
    },
  };
}
