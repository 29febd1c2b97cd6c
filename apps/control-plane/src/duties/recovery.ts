import type { Clock, Logger } from "@parallax/core";
import type { Term } from "@parallax/leader-election";
import type { Member, Membership } from "@parallax/membership";
import type { Collection, Stored, UpdateOptions } from "@parallax/state-store";
import { apply } from "../executions/advance.ts";
import { eventOf } from "../executions/journal.ts";
import { type ExecutionRecord, incarnationOf } from "../executions/record.ts";
import type { NodeMessage } from "../node-messages.ts";
import { ownerOf, takesWork } from "../peers.ts";
import type { StoreTime } from "../store-time.ts";
import type { Duty } from "./duties.ts";
import type { OwnerCheck } from "./owner-check.ts";

export interface RecoveryOptions {
  readonly executions: Collection<ExecutionRecord>;
  readonly membership: Pick<Membership, "view">;
  readonly ownerCheck: OwnerCheck;
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  readonly nodeId: string;
  /** How long a finished execution is kept, in ms. */
  readonly retentionMs: number;
  readonly send: (nodeId: string, message: NodeMessage) => void;
}

/** How many executions one round hands over at most; the rest stays in the index for the next. */
const roundSize = 1000;
/** The crash adoption with which an execution is given up as the likely cause of the crashes (X7). */
const poisonedAt = 3;

/**
 * X1: recovery is a level. Each round looks at who owns open executions, and hands what an ended incarnation owns to live
 * nodes. A fast restart, a leader that dies halfway and the last node of a cluster are all the same case.
 */
export function recoveryDuty(options: RecoveryOptions): Duty {
  const { executions, membership, ownerCheck, clock, storeTime, logger, send } = options;

  async function recover(owner: string, heirs: readonly Member[], term: Term): Promise<number> {
    const page = await executions.list({ index: "owner", value: owner, limit: roundSize });
    const lastSeenMs = lastBeatOf(owner);
    const outcomes = await Promise.all(
      page.records.map((stored, index) => {
        const heir = heirs[index % heirs.length];
        return heir ? handOver(stored, owner, heir, lastSeenMs, term) : false;
      }),
    );
    return outcomes.filter(Boolean).length;
  }

  function lastBeatOf(owner: string): number | undefined {
    const members = membership.view()?.members ?? [];
    return members.find((member) => member.incarnation === incarnationOf(owner))?.lastBeatAtMs;
  }

  /** L9: right by itself, for it rests on the end of an incarnation, which cannot be undone. */
  async function handOver(
    { id, value, version }: Stored<ExecutionRecord>,
    owner: string,
    heir: Member,
    lastSeenMs: number | undefined,
    term: Term,
  ): Promise<boolean> {
    const condition = { where: { owner }, version, fence: term.token };
    const adoptions = value.adoptions + (value.status === "pending" ? 0 : 1);
    if (adoptions >= poisonedAt) return poison(id, { ...value, adoptions }, condition);
    // X8: the time without a living owner does not count.
    const ownerlessMs = lastSeenMs === undefined ? 0 : Math.max(0, storeTime.now() - lastSeenMs);
    const set = { ...ownerOf(heir), adoptions };
    const result = await executions.update(
      id,
      { set: { ...set, deadlineAtMs: value.deadlineAtMs + ownerlessMs } },
      condition,
    );
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
    const event = eventOf(id, record, ended);
    const expiry = { expiresInMs: options.retentionMs, ...(event ? { event } : {}) };
    const result = await executions.update(id, { set: ended, unset: ["owner"] }, { ...condition, ...expiry });
    return result.outcome === "ok";
  }

  return {
    name: "recovery",
    everyMs: 2000,
    async run(term) {
      const heirs = (membership.view()?.members ?? []).filter(takesWork);
      if (heirs.length === 0) return;
      for (const owner of Object.keys(await executions.values("owner"))) {
        term.assertValid();
        if (!(await ownerCheck.hasEnded(owner))) continue;
        const startedMs = clock.now();
        const count = await recover(owner, heirs, term);
        logger.info("recovered executions", { owner, count, ms: Math.round(clock.now() - startedMs) });
        if (count > 0) for (const heir of heirs) send(heir.id, { type: "adopt", from: options.nodeId });
      }
    },
  };
}
