import fc from "fast-check";
import type { Change, Layout } from "../../src/store.ts";

/** The collection of the histories: two indexes, one of which decides what is final. */
export const historyLayout: Layout = {
  collection: "thing",
  indexes: ["status", "owner"],
  final: { status: ["done"] },
  topic: "thing",
  schema: 1,
  maxLogEntries: 1000,
  maxInboxBytes: 1_000_000,
};

/** A change before it has a request id, and whether it repeats one of the last changes instead. */
export interface Step {
  readonly change: (number: number) => Change;
  /** Repeats the change that was made that many steps before, if there is one. */
  readonly repeat: number | undefined;
}

const id = fc.constantFrom("a", "b", "c");
const field = fc.constantFrom("status", "owner", "note");
const text = fc.constantFrom("open", "done", "n|1", "n%2", "");
const fence = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 4 });
const version = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 4 });
const expiry = fc.constantFrom("keep" as const, "keep" as const, "never" as const, 0, 3_600_000);
const set = fc.uniqueArray(fc.tuple(field, text), { selector: ([name]) => name, maxLength: 3 });
const where = fc.uniqueArray(fc.tuple(field, fc.option(text, { nil: undefined })), {
  selector: ([name]) => name,
  maxLength: 1,
});
const key = fc.constantFrom("k1", "k2");
const deposits = fc.option(
  fc.uniqueArray(fc.tuple(key, text), { selector: ([name]) => name, minLength: 1, maxLength: 2 }),
  { nil: undefined, freq: 1 },
);
const eventCount = fc.integer({ min: 0, max: 3 });

function common(id: string, number: number, fence: number | undefined, told: number) {
  const events = Array.from({ length: told }, (_, index) => {
    const tag = `t${number}x${index}`;
    return { tag, json: `{"type":"${tag}"}` };
  });
  const event = events.pop();
  return {
    id,
    requestId: `r${number}`,
    fence,
    event,
    ...(events.length > 0 ? { earlierEvents: events } : {}),
  };
}

const create = fc.tuple(id, fence, eventCount, set, expiry).map(
  ([id, fence, told, set, expiry]) =>
    (number: number): Change => ({
      op: "create",
      ...common(id, number, fence, told),
      set,
      expiry,
    }),
);

const update = fc
  .tuple(
    id,
    fence,
    eventCount,
    set,
    fc.uniqueArray(field, { maxLength: 1 }),
    version,
    where,
    expiry,
    deposits,
  )
  .map(
    ([id, fence, told, set, unset, version, where, expiry, deposits]) =>
      (number: number): Change => ({
        op: "update",
        ...common(id, number, fence, told),
        set,
        unset: unset.filter((name) => !set.some(([other]) => other === name)),
        version,
        where,
        expiry,
        deposits,
      }),
  );

const remove = fc
  .tuple(id, fence, eventCount, version, where, fc.constantFrom("asked", "asked", "expired", "trimmed"))
  .map(
    ([id, fence, told, version, where, reason]) =>
      (number: number): Change => ({
        op: "delete",
        ...common(id, number, fence, told),
        version,
        where,
        reason,
        leftovers: [],
      }),
  );

const deposit = fc.tuple(id, eventCount, key, text).map(
  ([id, told, key, value]) =>
    (number: number): Change => ({
      op: "deposit",
      ...common(id, number, undefined, told),
      key,
      value,
    }),
);

const step: fc.Arbitrary<Step> = fc.record({
  change: fc.oneof(
    { weight: 4, arbitrary: create },
    { weight: 8, arbitrary: update },
    { weight: 2, arbitrary: remove },
    { weight: 3, arbitrary: deposit },
  ),
  repeat: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 4 }),
});

/** Calls of `mutate`, each with some changes. */
export const histories: fc.Arbitrary<Step[][]> = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), {
  maxLength: 25,
});

/** The changes of a history: numbered, and with the repetitions as the changes that they repeat. */
export function changesOf(history: readonly (readonly Step[])[]): readonly (readonly Change[])[] {
  const made: Change[] = [];
  return history.map((call) =>
    call.map(({ change, repeat }) => {
      const earlier = repeat === undefined ? undefined : made.at(-repeat);
      const next = earlier ?? change(made.length);
      if (!earlier) made.push(next);
      return next;
    }),
  );
}
