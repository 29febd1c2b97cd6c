import type { Clock, Logger } from "@parallax/core";
import type { Term } from "@parallax/leader-election";
import type { Membership } from "@parallax/membership";
import type { Collection, Stored, UpdateOptions } from "@parallax/state-store";
import { apply } from "../executions/advance.ts";
import { waitOf } from "../executions/counted-time.ts";
import { eventOf } from "../executions/journal.ts";
import { type ExecutionRecord, incarnationOf } from "../executions/record.ts";
import type { NodeMessage } from "../node-messages.ts";
import type { Owner } from "../peers.ts";
import type { StoreTime } from "../store-time.ts";
import type { Duty } from "./duties.ts";
import { createHeirs, type Given, type Heirs, heirsAmong } from "./heirs.ts";
import type { OwnerCheck } from "./owner-check.ts";

export interface RecoveryOptions {
  readonly executions: Collection<ExecutionRecord>;
  readonly membership: Pick<Membership, "view" | "subscribe">;
  readonly ownerCheck: OwnerCheck;
  readonly clock: Clock;
  readonly storeTime: Pick<StoreTime, "now">;
  readonly logger: Logger;
  readonly nodeId: string;
  /** How long a finished execution is kept, in ms. */
  readonly retentionMs: number;
  readonly send: (nodeId: string, message: NodeMessage) => void;
  /** How long a member has to be there before it is given anything, in ms: one that keeps failing must not draw work. */
  readonly settlingMs: number;
}

/** How many executions are handed over at once. */
const stepSize = 500;
/** What ends an incarnation is looked into at once. */
const endings: ReadonlySet<string> = new Set(["failed", "left", "replaced", "removed"]);
/** The crash adoption with which an execution is given up as the likely cause of the crashes (X7). */
const poisonedAt = 3;

/**
 * X1: recovery is a level. Each round looks at who owns open executions, and hands what an ended incarnation owns to live
 * nodes. A fast restart, a leader that dies halfway and the last node of a cluster are all the same case.
 */
export function recoveryDuty(options: RecoveryOptions): Duty {
  const { executions, membership, ownerCheck, clock, storeTime, logger, send } = options;
  /** What members were given since the beat that told how much room they have. */
  const given: Given = new Map();

  /** Hands over what `owner` had, as far as the heirs have room for it: the rest stays in the index for the next round. */
  async function recover(owner: string, heirs: Heirs, term: Term): Promise<number> {
    const lastSeenMs = lastBeatOf(owner);
    let count = 0;
    for (let cursor: string | undefined; ; ) {
      term.assertValid();
      const from = cursor === undefined ? {} : { cursor };
      const page = await executions.list({ index: "owner", value: owner, limit: stepSize, ...from });
      const outcomes = await Promise.all(
        page.records.map((stored) => {
          const heir = heirs.take(stored.value.functionHash);
          return heir ? handOver(stored, owner, heir, lastSeenMs, term) : false;
        }),
      );
      const done = outcomes.filter(Boolean).length;
      count += done;
      cursor = page.cursor;
      if (cursor === undefined || done === 0) return count;
    }
  }

  function lastBeatOf(owner: string): number | undefined {
    const members = membership.view()?.members ?? [];
    return members.find((member) => member.incarnation === incarnationOf(owner))?.lastBeatAtMs;
  }

  /** L9: right by itself, for it rests on the end of an incarnation, which cannot be undone. */
  async function handOver(
    stored: Stored<ExecutionRecord>,
    owner: string,
    heir: Owner,
    lastSeenMs: number | undefined,
    term: Term,
  ): Promise<boolean> {
    const { id, value, version, updatedAtMs } = stored;
    const condition = { where: { owner }, version, fence: term.token };
    const isCrash = value.status !== "pending" && value.leftBy !== owner;
    const adoptions = value.adoptions + (isCrash ? 1 : 0);
    if (adoptions >= poisonedAt) return poison(id, { ...value, adoptions }, condition);
    // X8: the time without an owner that drives it does not count, and ends when its heir has it in memory. Of one whose row is
    // gone, as after a fast restart, the last write is the last that is known.
    const ownerlessSinceMs = value.ownerlessSinceMs ?? lastSeenMs ?? updatedAtMs;
    const deadlineAtMs = value.deadlineAtMs + waitOf(stored);
    const set = { nodeId: heir.nodeId, owner: heir.owner, adoptions, ownerlessSinceMs, deadlineAtMs };
    const result = await executions.update(id, { set }, condition);
    return result.outcome === "ok";
  }

  /** X7: ends it in the step that takes it from its last owner. */
  async function poison(
    id: string,
    record: ExecutionRecord,
    condition: UpdateOptions<ExecutionRecord>,
  ): Promise<boolean> {
    const error = {
      code: "poisoned",
      message: `${poisonedAt} nodes died while they ran it; look at its input and its pattern before running it again`,
    };
    const open = { record, results: new Map() };
    const { record: ended } = apply(open, { kind: "aggregation-failed", error }, storeTime.now());
    const expiry = { expiresInMs: options.retentionMs, event: eventOf(id, ended) };
    const result = await executions.update(id, { set: ended, unset: ["owner"] }, { ...condition, ...expiry });
    return result.outcome === "ok";
  }

  return {
    name: "recovery",
    everyMs: 2000,
    wakes: (wake) =>
      membership.subscribe(({ type }) => {
        if (endings.has(type)) wake();
      }),
    async run(term) {
      const heirs = createHeirs(heirsAmong(membership.view(), options.settlingMs), given);
      for (const owner of Object.keys(await executions.values("owner"))) {
        term.assertValid();
        if (!(await ownerCheck.hasEnded(owner))) continue;
        const startedMs = clock.now();
        const count = await recover(owner, heirs, term);
        logger.info("recovered executions", { owner, count, ms: Math.round(clock.now() - startedMs) });
        if (count > 0)
          for (const nodeId of heirs.nodeIds) send(nodeId, { type: "adopt", from: options.nodeId });
      }
    },
  };
}
