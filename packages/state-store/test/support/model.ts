import { type Change, type ChangeOutcome, eventsOf, type Layout } from "../../src/store.ts";

/** A record as the model has it. */
interface ModelRecord {
  fields: Record<string, string>;
  version: number;
  expired: boolean;
  readonly inbox: Record<string, string>;
  readonly events: string[];
}

/** What a change led to, without times. */
export type ModelOutcome = readonly [outcome: string, detail?: unknown];

export interface Model {
  readonly records: ReadonlyMap<string, Readonly<ModelRecord>>;
  readonly told: readonly string[];
  readonly fence: number;
  apply(change: Change): ModelOutcome;
}

/** The outcome of a backend, without times. */
export function withoutTimes(outcome: ChangeOutcome): ModelOutcome {
  switch (outcome.outcome) {
    case "ok":
    case "conflict":
    case "final":
      return [outcome.outcome, outcome.version];
    case "exists":
      return ["exists", [outcome.record.version, outcome.record.fields]];
    case "occupied":
      return ["occupied", outcome.value];
    case "fenced":
      return ["fenced", outcome.fence];
    default:
      return [outcome.outcome];
  }
}

/**
 * The promises of a state store, written down a second time and as naively as possible: no times, no indexes, no bounds.
 * An expiry of 0 means expired, any other one never.
 */
export function createModel(layout: Layout): Model {
  const records = new Map<string, ModelRecord>();
  /** Every request that ever changed something, with the version that it led to. */
  const requests = new Map<string, number>();
  const told: string[] = [];
  let fence = 0;

  function tell(change: Change, record: ModelRecord | undefined, version: number): void {
    for (const { tag } of eventsOf(change)) {
      told.push(`${tag}@${version}`);
      record?.events.push(`${tag}@${version}`);
    }
  }

  function isFinal({ fields }: ModelRecord): boolean {
    return Object.entries(layout.final).some(([field, values]) => values.includes(fields[field] ?? ""));
  }

  function meets(record: ModelRecord, change: Change): boolean {
    if (change.op !== "update" && change.op !== "delete") return true;
    if (change.version !== undefined && change.version !== record.version) return false;
    return change.where.every(([field, text]) => record.fields[field] === text);
  }

  function create(change: Extract<Change, { op: "create" }>): ModelOutcome {
    const record: ModelRecord = {
      fields: Object.fromEntries(change.set),
      version: 1,
      expired: change.expiry === 0,
      inbox: {},
      events: [],
    };
    records.set(change.id, record);
    requests.set(change.requestId, 1);
    tell(change, record, 1);
    return ["ok", 1];
  }

  function update(record: ModelRecord, change: Extract<Change, { op: "update" }>): ModelOutcome {
    if (!meets(record, change)) return ["conflict", record.version];
    const { deposits = [] } = change;
    if (deposits.some(([key, text]) => (record.inbox[key] ?? text) !== text))
      return ["conflict", record.version];
    Object.assign(record.inbox, Object.fromEntries(deposits));
    record.fields = { ...record.fields, ...Object.fromEntries(change.set) };
    for (const field of change.unset) delete record.fields[field];
    if (change.expiry !== "keep") record.expired = change.expiry === 0;
    record.version += 1;
    requests.set(change.requestId, record.version);
    tell(change, record, record.version);
    return ["ok", record.version];
  }

  function remove(record: ModelRecord, change: Extract<Change, { op: "delete" }>): ModelOutcome {
    if (change.reason === "expired" && !record.expired) return ["conflict", record.version];
    if (!meets(record, change)) return ["conflict", record.version];
    records.delete(change.id);
    requests.set(change.requestId, record.version + 1);
    tell(change, undefined, record.version + 1);
    return ["ok", record.version + 1];
  }

  function deposit(record: ModelRecord, change: Extract<Change, { op: "deposit" }>): ModelOutcome {
    const there = record.inbox[change.key];
    if (there !== undefined) return ["occupied", there];
    record.inbox[change.key] = change.value;
    tell(change, record, record.version);
    return ["deposited"];
  }

  return {
    records,
    told,
    get fence() {
      return fence;
    },
    apply(change) {
      const record = records.get(change.id);
      const done = change.op === "deposit" ? undefined : requests.get(change.requestId);
      if (done !== undefined) return ["ok", done];
      if (change.fence !== undefined && change.fence < fence) return ["fenced", fence];
      fence = Math.max(fence, change.fence ?? 0);
      if (change.op === "create")
        return record ? ["exists", [record.version, record.fields]] : create(change);
      if (!record) return ["missing"];
      const ends = change.op === "delete" && (change.reason === "trimmed" || record.expired);
      if (isFinal(record) && !ends) return ["final", record.version];
      switch (change.op) {
        case "update":
          return update(record, change);
        case "delete":
          return remove(record, change);
        case "deposit":
          return deposit(record, change);
        default:
          return ["unknown"];
      }
    },
  };
}
