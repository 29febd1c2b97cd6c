import { isParallaxError, ParallaxError, seededRandom } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import type { Change, ChangeOutcome, RecordBackend } from "../src/store.ts";
import { createWriter, type Writer, type WriterOptions } from "../src/writer.ts";
import { historyLayout as layout } from "./support/histories.ts";

const timeout = () => new ParallaxError("timeout", "no answer");
const away = () => new ParallaxError("redis_unavailable", "not sent");

let number = 0;
function update(id: string, note = "x"): Change {
  number += 1;
  const requestId = `r${number}`;
  const nothing = { fence: undefined, event: undefined, version: undefined, expiry: "keep" } as const;
  return { op: "update", id, requestId, ...nothing, set: [["note", note]], unset: [], where: [] };
}

function create(id: string): Change {
  number += 1;
  const event = { tag: `t${number}`, json: '{"type":"created"}' };
  return { op: "create", id, requestId: `r${number}`, fence: undefined, event, set: [], expiry: "keep" };
}

function remove(id: string): Change {
  number += 1;
  const conditions = { version: undefined, where: [], leftovers: [], fence: undefined, event: undefined };
  return { op: "delete", id, requestId: `r${number}`, ...conditions, reason: "asked" };
}

function deposit(id: string, value: string): Change {
  number += 1;
  return { op: "deposit", id, requestId: `r${number}`, fence: undefined, event: undefined, key: "k", value };
}

describe("the way of changes to the store", () => {
  let clock: VirtualClock;
  let backend: RecordBackend;
  let calls: (readonly Change[])[];
  /** What happens to the next calls: before or after they ran. */
  let faults: { readonly when: "before" | "after"; readonly error: Error }[];
  let replicas: number;

  beforeEach(() => {
    clock = createVirtualClock();
    const real = memoryRecordBackend(memoryRecordSpace({ clock }));
    calls = [];
    faults = [];
    replicas = 9;
    backend = {
      ...real,
      async mutate(partition, shape, changes, options) {
        calls.push(changes);
        const fault = faults.shift();
        if (fault?.when === "before") throw fault.error;
        const result = await real.mutate(partition, shape, changes, options);
        if (fault) throw fault.error;
        return { ...result, replicas };
      },
    };
  });

  function writer(options: Partial<WriterOptions> = {}): Writer {
    return createWriter({
      backend,
      bus: undefined,
      clock,
      random: seededRandom(1),
      timeoutMs: 5000,
      batchSize: 3,
      batchBytes: 10_000,
      maxPending: 100,
      maxPendingBytes: 100_000,
      ...options,
    });
  }

  function send(writer: Writer, change: Change, wanted = 0): Promise<ChangeOutcome> {
    return writer.change(layout, 0, change, wanted);
  }

  async function settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const watched = work.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    await clock.runUntil(() => done, 60_000);
    return watched;
  }

  it("lets the changes of a tick travel together, in order and at most so many", async () => {
    const way = writer();
    const changes = ["a", "b", "c", "d"].map(create);
    await Promise.all(changes.map((change) => send(way, change)));
    expect(calls).toEqual([changes.slice(0, 3), changes.slice(3)]);
  });

  it("S7: lets fewer deletes travel together, as each takes longer", async () => {
    const way = writer({ batchSize: 8 });
    const ids = ["a", "b", "c"];
    await Promise.all(ids.map((id) => send(way, create(id))));
    calls.length = 0;
    await Promise.all(ids.map((id) => send(way, remove(id))));
    expect(calls.map(({ length }) => length)).toEqual([2, 1]);
  });

  it("does not hold back long what comes behind calls that hang", async () => {
    const held = { ...backend };
    let hanging = 2;
    backend = {
      ...held,
      async mutate(...call) {
        hanging -= 1;
        if (hanging >= 0) await new Promise(() => {});
        return held.mutate(...call);
      },
    };
    const way = writer();
    for (const id of ["a", "b"]) {
      void send(way, create(id));
      await clock.settle();
    }
    expect(await settle(send(way, create("c")))).toMatchObject({ outcome: "ok" });
    expect(clock.now()).toBeLessThan(1000);
  });

  it("lets at most so many bytes travel together", async () => {
    const way = writer({ batchBytes: 1000 });
    await Promise.all([send(way, create("a")), send(way, create("b"))]);
    calls.length = 0;
    await Promise.all([send(way, update("a", "x".repeat(900))), send(way, update("b"))]);
    expect(calls.length).toBe(2);
  });

  it("gathers what comes while two batches wait for their answers", async () => {
    const answers: (() => void)[] = [];
    const slow: RecordBackend = {
      ...backend,
      async mutate(...call) {
        await new Promise<void>((resolve) => answers.push(resolve));
        return backend.mutate(...call);
      },
    };
    const way = writer({ backend: slow, batchSize: 3 });
    const done: Promise<unknown>[] = [];
    for (const id of ["a", "b", "c", "d"]) {
      done.push(send(way, create(id)));
      await clock.advance(1);
    }
    expect(answers.length, "the third waits").toBe(2);
    answers.shift()?.();
    await done[0];
    await clock.advance(1);
    expect(answers.length, "and goes with the fourth").toBe(2);
    for (const answer of answers) answer();
    await Promise.all(done);
    expect(calls.map(({ length }) => length)).toEqual([1, 1, 2]);
  });

  it("S2: knows a request that its caller makes again after it got no answer", async () => {
    const since: (number | undefined)[] = [];
    const real = backend.mutate;
    backend = {
      ...backend,
      mutate(...call) {
        since.push(call[3].repeatedSinceMs);
        return real(...call);
      },
    };
    const way = writer({ timeoutMs: 100 });
    const change = create("a");
    faults = Array.from({ length: 20 }, () => ({ when: "before", error: timeout() }));
    await expect(settle(send(way, change))).rejects.toMatchObject({ code: "timeout" });
    faults = [];
    since.length = 0;
    expect(await send(way, change)).toMatchObject({ outcome: "ok" });
    await send(way, create("b"));
    expect(since).toEqual([0, undefined]);
  });

  it("does not hold others up behind a batch that is repeated", async () => {
    const way = writer({ batchSize: 3 });
    faults = Array.from({ length: 6 }, () => ({ when: "before", error: timeout() }));
    const repeated = ["a", "b"].map(async (id) => {
      const change = send(way, create(id));
      await clock.advance(1);
      return change;
    });
    await clock.advance(1);
    faults = [];
    await send(way, create("c"));
    await settle(Promise.all(repeated));
  });

  it("keeps apart what waits for replicas and what does not", async () => {
    const way = writer();
    await Promise.all([send(way, create("a"), 1), send(way, create("b"))]);
    expect(calls.length).toBe(2);
  });

  it("S2: has one change of a record on its way at a time, and others meanwhile", async () => {
    const way = writer({ batchSize: 10 });
    await send(way, create("a"));
    calls.length = 0;
    const [first, second, third] = [update("a"), update("a"), create("b")];
    const outcomes = await Promise.all([first, second, third].map((change) => send(way, change)));
    expect(calls).toEqual([[first, third], [second]]);
    expect(outcomes.map((outcome) => "version" in outcome && outcome.version)).toEqual([2, 3, 1]);
  });

  it("does not hold deposits behind their record", async () => {
    const way = writer({ batchSize: 10 });
    await send(way, create("a"));
    calls.length = 0;
    await Promise.all([send(way, update("a")), send(way, deposit("a", "v"))]);
    expect(calls.length).toBe(1);
  });

  it("S2: repeats a change without an answer under its request id, and it takes effect once", async () => {
    const way = writer();
    await send(way, create("a"));
    faults = [
      { when: "after", error: timeout() },
      { when: "before", error: timeout() },
      { when: "before", error: away() },
    ];
    const outcome = await settle(send(way, update("a")));
    expect(outcome).toMatchObject({ outcome: "ok", version: 2 });
    expect(new Set(calls.slice(1).map(([change]) => change?.requestId)).size).toBe(1);
    expect(calls.length).toBe(5);
  });

  it("names record and request when the outcome stays unknown", async () => {
    const way = writer({ timeoutMs: 300 });
    await send(way, create("a"));
    faults = Array.from({ length: 100 }, () => ({ when: "before", error: timeout() }));
    const change = update("a");
    const failure = await settle(send(way, change).catch((error: unknown) => error));
    expect(failure).toMatchObject({ code: "timeout", details: { id: "a", requestId: change.requestId } });
    expect(isParallaxError(failure) && failure.message).toContain("thing a");
    expect(clock.now()).toBeLessThanOrEqual(300);
  });

  it("says that nothing was done when nothing was ever sent", async () => {
    const way = writer({ timeoutMs: 300 });
    faults = Array.from({ length: 100 }, () => ({ when: "before", error: away() }));
    await expect(settle(send(way, create("a")))).rejects.toMatchObject({ code: "redis_unavailable" });
  });

  it("does not repeat what fails for good", async () => {
    const way = writer();
    faults = [{ when: "before", error: new ParallaxError("redis_reply", "no") }];
    await expect(send(way, create("a"))).rejects.toMatchObject({ code: "redis_reply" });
    expect(calls.length).toBe(1);
  });

  it("takes its own value for its own when a deposit is repeated, and another's for another's", async () => {
    const way = writer();
    await send(way, create("a"));
    faults = [{ when: "after", error: timeout() }];
    expect(await settle(send(way, deposit("a", "mine")))).toEqual({ outcome: "deposited" });
    expect(await send(way, deposit("a", "mine"))).toEqual({ outcome: "occupied", value: "mine" });
    faults = [{ when: "before", error: timeout() }];
    expect(await settle(send(way, deposit("a", "other")))).toEqual({ outcome: "occupied", value: "mine" });
  });

  it("waits for as many replicas as were asked for, and says when they do not come", async () => {
    const way = writer({ timeoutMs: 300 });
    replicas = 0;
    const failure = await settle(send(way, create("a"), 1).catch((error: unknown) => error));
    expect(failure).toMatchObject({
      code: "not_replicated",
      details: { id: "a", acknowledged: 0, wanted: 1 },
    });
    replicas = 1;
    expect(await send(way, update("a"), 1)).toMatchObject({ outcome: "ok", version: 2 });
  });

  it("does not wait for replicas of what was refused", async () => {
    const way = writer();
    replicas = 0;
    expect(await send(way, update("none"), 1)).toEqual({ outcome: "missing" });
  });

  it("S7: refuses what exceeds the changes or bytes that may wait", async () => {
    const way = writer({ maxPending: 2, maxPendingBytes: 2000 });
    const taken = [send(way, create("a")), send(way, create("b"))];
    await expect(send(way, create("c"))).rejects.toMatchObject({ code: "overloaded" });
    await Promise.all(taken);
    await expect(send(way, update("a", "x".repeat(3000)))).rejects.toMatchObject({ code: "overloaded" });
    expect(await send(way, create("c"))).toMatchObject({ outcome: "ok" });
  });

  it("tells the bus which events it sends, before it sends them", async () => {
    const sent = vi.fn((_topic: string, _tags: readonly string[], _at: number) => {
      expect(calls.length).toBe(0);
    });
    const way = writer({ bus: { sent } });
    const change = create("a");
    await Promise.all([send(way, change), send(way, update("b"))]);
    expect(sent.mock.calls).toEqual([["thing", [change.event?.tag], clock.now()]]);
  });

  it("finishes what it took before it closes, and takes no more", async () => {
    const way = writer();
    const taken = send(way, create("a"));
    const closed = way.close();
    await expect(send(way, create("b"))).rejects.toMatchObject({ code: "store_closed" });
    await closed;
    expect(await taken).toMatchObject({ outcome: "ok" });
  });
});
