import { ParallaxError } from "@parallax/core";
import type { BusEvent } from "@parallax/event-bus";
import { checkBytes, checkId, checkIndexed, checkRequestId, checkWhole } from "./checks.ts";
import { complaint, encodeFields, invalidValue, toJson } from "./codec.ts";
import type {
  ChangeOptions,
  Collection,
  DeleteOutcome,
  Fields,
  Patch,
  PatchOptions,
  UpdateOptions,
  UpdateOutcome,
} from "./collection.ts";
import type { StoreContext } from "./context.ts";
import { type Definition, toRecord, upgrade } from "./definition.ts";
import type { Change, ChangeEvent, ChangeOutcome, Expiry, FieldText, UpdateChange } from "./store.ts";

type Changes<Value extends Fields> = Pick<Collection<Value>, "create" | "update" | "delete" | "deposit">;
type Conditions = Pick<UpdateChange, "version" | "madeBy" | "where">;

/** How many deposits a change carries at most. */
const maxDeposits = 1000;

/** The changing half of a collection: checks what comes in, and says what came of it. */
export function createChanges<Value extends Fields>(
  context: StoreContext,
  definition: Definition<Value>,
): Changes<Value> {
  const { backend, limits } = context;
  const { layout, codecs, schema, trusted, known } = definition;
  const name = layout.collection;

  async function send(change: Change, options: Pick<ChangeOptions, "replicas">): Promise<ChangeOutcome> {
    const { replicas = context.replicas } = options;
    checkWhole("invalid_value", "the number of replicas", replicas, 0, 100);
    const partition = backend.partitionOf(change.id);
    const outcome = await context.writer.change(layout, partition, change, replicas);
    if (outcome.outcome === "refused") throw refusal(name, change.id, outcome);
    if (outcome.outcome === "conflict") known.forget(change.id);
    if (outcome.outcome === "ok" && change.op !== "migrate") {
      known.note(change.id, outcome.version, change.requestId);
    }
    return outcome;
  }

  /** Sends a change; where the record is of an older schema, that is migrated first. */
  async function sendUpgraded(change: Change, options: ChangeOptions): Promise<ChangeOutcome> {
    for (;;) {
      const outcome = await send(change, options);
      if (outcome.outcome !== "schema") return outcome;
      await migrateStored(change.id);
    }
  }

  async function migrateStored(id: string): Promise<void> {
    const partition = backend.partitionOf(id);
    const [stored] = await context.reading(() => backend.read(partition, name, [id]));
    if (!stored || stored.schema === layout.schema) return;
    const fields = upgrade(definition, stored);
    await send(
      {
        op: "migrate",
        id,
        requestId: context.nextId(),
        fence: undefined,
        event: undefined,
        version: stored.version,
        fromSchema: stored.schema,
        set: Object.entries(fields),
        unset: Object.keys(stored.fields).filter((field) => !Object.hasOwn(fields, field)),
      },
      { replicas: 0 },
    );
  }

  function eventsOf(
    id: string,
    { event = [] }: Pick<ChangeOptions, "event">,
  ): Pick<Change, "event" | "earlierEvents"> {
    const events = (isList(event) ? event : [event]).map((one) => encodeEvent(id, one));
    const last = events.pop();
    return { event: last, ...(events.length > 0 ? { earlierEvents: events } : {}) };
  }

  function encodeEvent(id: string, event: BusEvent): ChangeEvent {
    // `id` and `version` tell what the event is about; they are the store's to fill in.
    const { type, id: _id, version: _version, ...rest } = event;
    const what = `the event of ${name} ${id}`;
    if (typeof type !== "string" || type === "") throw invalidValue(what, "it needs a type");
    const json = toJson({ type, id, ...rest }, what);
    checkBytes(what, Buffer.byteLength(json), limits.eventBytes);
    return { tag: context.nextId(), json };
  }

  function base(id: string, options: ChangeOptions) {
    checkId(name, id);
    const { requestId = context.nextId(), fence } = options;
    checkRequestId(requestId);
    if (fence !== undefined) checkWhole("invalid_value", "a fence", fence, 0);
    return { id, requestId, fence, ...eventsOf(id, options) };
  }

  function texts(id: string, entries: readonly FieldText[]): readonly FieldText[] {
    let bytes = 0;
    for (const [field, text] of entries) {
      bytes += Buffer.byteLength(text);
      if (layout.indexes.includes(field)) checkIndexed(field, text);
    }
    checkBytes(`the fields of ${name} ${id}`, bytes, limits.recordBytes);
    return entries;
  }

  function codecOf(field: string) {
    const codec = codecs.get(field);
    if (codec) return codec;
    throw invalidValue(`field ${field} of ${name}`, "its schema has no such field");
  }

  function encode(field: string, value: unknown): string {
    const codec = codecOf(field);
    return codec.encode(trusted ? value : codec.check(value));
  }

  function checked(id: string, value: Value): Value {
    if (trusted) return value;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw invalidValue(`${name} ${id}`, complaint(parsed.error));
  }

  function patchOf(id: string, patch: Patch<Value>): Pick<UpdateChange, "set" | "unset"> {
    const given = Object.entries(patch.set ?? {});
    const set = given.filter(([, value]) => value !== undefined);
    const absent = given.filter(([, value]) => value === undefined).map(([field]) => field);
    const unset = [...absent, ...(patch.unset ?? [])].filter((field) => {
      if (codecOf(field).optional) return !set.some(([name]) => name === field);
      throw invalidValue(`field ${field} of ${name}`, "it cannot be taken away, as its schema requires it");
    });
    return {
      set: texts(
        id,
        set.map(([field, value]) => [field, encode(field, value)]),
      ),
      unset,
    };
  }

  function conditionsOf(id: string, { version, where = {} }: UpdateOptions<Value>): Conditions {
    if (version !== undefined) checkWhole("invalid_value", "a version", version, 0);
    const wanted = Object.entries(where).map(
      ([field, value]) =>
        [field, value === undefined ? codecOf(field) && undefined : encode(field, value)] as const,
    );
    return { version, madeBy: version === undefined ? undefined : known.madeBy(id, version), where: wanted };
  }

  function depositsOf(
    id: string,
    { deposits }: Pick<PatchOptions<Value>, "deposits">,
  ): Pick<UpdateChange, "deposits"> {
    if (deposits === undefined) return {};
    const entries = Object.entries(deposits);
    checkWhole("invalid_value", "the number of deposits of a change", entries.length, 0, maxDeposits);
    checkDeposits(id, entries);
    return { deposits: entries };
  }

  /** All together, as they travel in one change. */
  function checkDeposits(id: string, deposits: readonly FieldText[]): void {
    const what = `what is deposited for ${name} ${id}`;
    let bytes = 0;
    for (const text of deposits.flat()) {
      if (typeof text !== "string") throw invalidValue(what, "keys and values are texts");
      bytes += Buffer.byteLength(text);
    }
    checkBytes(what, bytes, limits.depositBytes);
  }

  return {
    async create(id, value, options = {}) {
      const common = base(id, options);
      const set = texts(id, encodeFields(codecs, checked(id, value)));
      const outcome = await send({ op: "create", ...common, set, expiry: expiryOf(options) }, options);
      switch (outcome.outcome) {
        case "ok":
          return { outcome: "created", version: 1, storeTimeMs: outcome.storeTimeMs };
        case "exists":
          known.read(outcome.record);
          return { outcome: "exists", record: toRecord(definition, outcome.record) };
        case "fenced":
          return outcome;
        default:
          throw unexpected(name, id, outcome);
      }
    },
    async update(id, patch, options = {}) {
      const common = { ...base(id, options), ...conditionsOf(id, options) };
      const what = { ...patchOf(id, patch), ...depositsOf(id, options), expiry: expiryOf(options) };
      const change = { op: "update", ...common, ...what } as const;
      return updateOutcome(name, id, await sendUpgraded(change, options));
    },
    async delete(id, options = {}): Promise<DeleteOutcome> {
      const common = { ...base(id, options), ...conditionsOf(id, options) };
      const change = { op: "delete", ...common, reason: "asked", leftovers: [] } as const;
      return updateOutcome(name, id, await sendUpgraded(change, options));
    },
    async deposit(id, key, value, options = {}) {
      const common = base(id, options);
      checkDeposits(id, [[key, value]]);
      const outcome = await send({ op: "deposit", ...common, key, value }, options);
      switch (outcome.outcome) {
        case "deposited":
          return { outcome: "ok" };
        case "occupied":
          return { outcome: "exists", value: outcome.value };
        case "final":
          return { outcome: "final" };
        case "missing":
          return { outcome: "missing" };
        default:
          throw unexpected(name, id, outcome);
      }
    },
  };
}

function isList(event: BusEvent | readonly BusEvent[]): event is readonly BusEvent[] {
  return Array.isArray(event);
}

function expiryOf({ expiresInMs }: ChangeOptions): Expiry {
  if (expiresInMs === undefined) return "keep";
  if (expiresInMs === null) return "never";
  checkWhole("invalid_value", "the milliseconds until a record expires", expiresInMs, 0);
  return expiresInMs;
}

function updateOutcome(name: string, id: string, outcome: ChangeOutcome): UpdateOutcome {
  switch (outcome.outcome) {
    case "ok":
    case "conflict":
    case "fenced":
    case "final":
    case "missing":
      return outcome;
    default:
      throw unexpected(name, id, outcome);
  }
}

function refusal(
  name: string,
  id: string,
  { code, reason }: Extract<ChangeOutcome, { outcome: "refused" }>,
): ParallaxError {
  const remedy = {
    store_full: "free memory or raise its limit, and repeat",
    inbox_full: "take in what is there before more is deposited",
    wrong_type: "remove what something else wrote under its key",
    redis_reply: "see what Redis says",
  }[code];
  const known = code === "inbox_full" ? "too_large" : code;
  const message = `changing ${name} ${id}: the store refused it (${reason}); nothing was written: ${remedy}`;
  return new ParallaxError(known, message, { details: { id } });
}

function unexpected(name: string, id: string, outcome: ChangeOutcome): ParallaxError<"invalid_reply"> {
  const message = `changing ${name} ${id}: the backend answered ${outcome.outcome}, which is no answer to it; report this`;
  return new ParallaxError("invalid_reply", message, { details: { id } });
}
