import type { Logger } from "@parallax/core";
import type { Collection } from "@parallax/state-store";
import type { NodeMessage } from "../node-messages.ts";
import { mayOwn, type Owner } from "../peers.ts";
import type { StoreTime } from "../store-time.ts";
import type { Driver } from "./driver.ts";
import type { ExecutionRecord } from "./record.ts";

export interface HandOverOptions {
  readonly nodeId: string;
  readonly owner: () => string;
  readonly executions: Pick<Collection<ExecutionRecord>, "update">;
  readonly drivers: ReadonlyMap<string, Driver>;
  /** What the index says that this node owns. */
  readonly owned: () => Promise<ReadonlyMap<string, number>>;
  readonly storeTime: Pick<StoreTime, "now">;
  readonly logger: Logger;
  readonly send: (nodeId: string, message: NodeMessage) => void;
  readonly hasFunction: (functionHash: string) => boolean;
  /** Another node that has the user's function with this hash. */
  readonly whoHas: (functionHash: string) => Owner | undefined;
}

/** Planned changes of owner. They count as no adoption (X7). */
export interface HandOver {
  /** Gives every open execution to one of `successors` in turn; what stays for want of one is written down. */
  all(successors: readonly Owner[]): Promise<void>;
  /** Nobody takes what is left: it is written down that its owner ends because it was told to (X7). */
  leave(): Promise<void>;
  /** X9: what waits for a function that only another node has goes there. */
  parked(): Promise<void>;
}

export function createHandOver(options: HandOverOptions): HandOver {
  const { nodeId, owner, executions, drivers, storeTime, logger, send } = options;

  /** Drops it, and writes whose it is from now on, and what else. */
  async function part(id: string, driver: Driver, changed: Partial<ExecutionRecord>): Promise<boolean> {
    const mine = owner();
    // X8: what has happened goes with it, above all the time that must not count.
    await driver.stopped();
    driver.drop();
    await driver.stopped();
    const { deadlineAtMs } = driver.record();
    const set = { ...changed, ownerlessSinceMs: storeTime.now(), deadlineAtMs };
    return (await executions.update(id, { set }, { where: { owner: mine } })).outcome === "ok";
  }

  async function one(id: string, driver: Driver, heir: Owner): Promise<void> {
    const isDone = await part(id, driver, { nodeId: heir.nodeId, owner: heir.owner });
    if (isDone) logger.debug("handed an execution over", { execution: id, to: heir.nodeId });
  }

  return {
    async all(successors) {
      await Promise.all(
        [...drivers].map(async ([id, driver], index) => {
          const able = successors.filter((heir) => mayOwn(heir, driver.record().functionHash));
          const heirs = able.length > 0 ? able : successors;
          const heir = heirs[index % heirs.length];
          if (heir) await one(id, driver, heir);
          else await driver.stopped();
        }),
      );
      for (const heir of successors) send(heir.nodeId, { type: "adopt", from: nodeId });
    },
    async leave() {
      const leftBy = owner();
      const condition = { where: { owner: leftBy } };
      // By the index: of a hand-over that failed there is no driver any more.
      await Promise.all(
        [...(await options.owned()).keys()].map((id) => {
          const driver = drivers.get(id);
          return driver
            ? part(id, driver, { leftBy })
            : executions.update(id, { set: { leftBy } }, condition);
        }),
      );
    },
    async parked() {
      for (const [id, driver] of [...drivers]) {
        const { status, functionHash } = driver.record();
        if (status !== "aggregating" || functionHash === undefined || options.hasFunction(functionHash))
          continue;
        const heir = options.whoHas(functionHash);
        if (!heir) continue;
        await one(id, driver, heir);
        send(heir.nodeId, { type: "adopt", from: nodeId });
      }
    },
  };
}
