import { noopLogger, ParallaxError, seededRandom } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Delivery, Seek } from "../../src/executions/broker.ts";
import type { ResultLetter } from "../../src/executions/inbox.ts";
import { createJournal } from "../../src/executions/journal.ts";
import { createOwnership, type Ownership } from "../../src/executions/ownership.ts";
import { drivenFrom, type ExecutionRecord } from "../../src/executions/record.ts";
import { createSchemas } from "../../src/executions/schemas.ts";
import type { NodeMessage } from "../../src/node-messages.ts";
import { untraced } from "../../src/observe/traced-work.ts";
import type { Owner } from "../../src/peers.ts";
import { createStoreTime } from "../../src/store-time.ts";
import {
  definitionOf,
  openTestStore,
  recordOf,
  type SharedMemory,
  sharedMemory,
  startMs,
  type TestStore,
} from "../support/records.ts";

const id = "exec_1";
const taskId = `${id}:0`;

/** A node as far as it owns executions. */
interface Place {
  readonly ownership: Ownership;
  readonly store: TestStore;
  owner: string;
  readonly seeks: Map<string, Seek>;
  readonly delivered: Delivery[];
  readonly finished: ExecutionRecord[];
}

let clock: VirtualClock;
let shared: SharedMemory;
let places: Map<string, Place>;
/** Messages as `from>to type`; what matches `lost` does not arrive. */
let messages: string[];
let lost: RegExp | undefined;
let isStoreAway: boolean;
/** The node that has a function, as far as is known. */
let whoHas: (functionHash: string) => Owner | undefined;
let areAnswersLost: boolean;
/** Holds back what was read from an inbox. */
let holdInbox: () => Promise<void>;

function place(nodeId: string): Place {
  const store = openTestStore(clock, {
    shared,
    link: async (run) => {
      if (isStoreAway) throw new ParallaxError("timeout", "the store is away");
      const answer = run();
      if (areAnswersLost) throw new ParallaxError("timeout", "its answer was lost");
      return answer;
    },
  });
  const executions = {
    ...store.collections.executions,
    async inbox(execution: string) {
      const letters = await store.collections.executions.inbox(execution);
      await holdInbox();
      return letters;
    },
  };
  const storeTime = createStoreTime(clock, clock.wall());
  // Another seed each: request ids of two nodes never meet.
  const random = seededRandom(places.size + 1);
  const base = { executions, clock, random, storeTime, logger: noopLogger };
  const seeks = new Map<string, Seek>();
  const delivered: Delivery[] = [];
  const finished: ExecutionRecord[] = [];
  const made: Place = {
    store,
    owner: `${nodeId}#i`,
    seeks,
    delivered,
    finished,
    ownership: createOwnership({
      ...base,
      nodeId,
      owner: () => made.owner,
      journal: createJournal({ ...base, retentionMs: 60_000 }),
      schemas: createSchemas(),
      aggregator: { run: async () => undefined },
      hasFunction: () => false,
      whoHas: (hash) => [whoHas(hash)].find((owner) => owner?.nodeId !== nodeId),
      broker: {
        seek(seek) {
          seeks.set(seek.taskId, seek);
          return () => seeks.delete(seek.taskId);
        },
        release: () => {},
      },
      courier: { deliver: (delivery) => delivered.push(delivery), cancel: () => {} },
      reconnectGraceMs: 30_000,
      send(to, message: NodeMessage) {
        const line = `${nodeId}>${to} ${message.type}`;
        messages.push(line);
        if (!lost?.test(line)) queueMicrotask(() => places.get(to)?.ownership.receive(message));
      },
      onFinished: (record) => finished.push(record),
      tracing: untraced,
    }),
  };
  places.set(nodeId, made);
  return made;
}

const result = (changes: Partial<ResultLetter> = {}): ResultLetter => ({
  kind: "result",
  taskId,
  attempt: 1,
  agentId: "agent_1",
  agentName: "a",
  result: "x",
  ...changes,
});

describe("the ownership of executions", () => {
  let here: Place;
  let there: Place;

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    [shared, places, messages, lost] = [sharedMemory(clock), new Map(), [], undefined];
    isStoreAway = areAnswersLost = false;
    holdInbox = async () => {};
    whoHas = () => undefined;
    here = place("here");
    there = place("there");
  });
  afterEach(async () => {
    isStoreAway = false;
    for (const { ownership, store } of places.values()) {
      ownership.dropAll();
      await store.close();
    }
  });

  async function start(at: Place, changes: Partial<ExecutionRecord> = {}): Promise<void> {
    const [nodeId = ""] = at.owner.split("#");
    const creating = at.ownership.create(id, recordOf(id, { owner: at.owner, nodeId, ...changes }));
    await clock.settle();
    await creating;
  }
  /** Gives a task to an agent, as the broker does. */
  async function grant(at: Place, agentId = "agent_1", task = taskId): Promise<void> {
    at.seeks.get(task)?.onGranted({ agentId, nodeId: "here" });
    await clock.settle();
  }
  async function read(): Promise<ExecutionRecord> {
    const stored = await here.store.collections.executions.get(id);
    if (!stored) throw new Error("it is gone");
    return stored.value;
  }

  describe("a result", () => {
    it("is counted once it lies in the inbox, and completes the execution", async () => {
      await start(here);
      await grant(here);
      expect(await here.ownership.deliver(result())).toBe("counted");
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", result: "x" });
      expect(here.finished).toHaveLength(1);
      expect(here.ownership.open).toBe(0);
    });

    it("is taken by whichever node holds the agent, which wakes the owner (X5)", async () => {
      await start(here);
      await grant(here);
      expect(await there.ownership.deliver(result())).toBe("counted");
      await clock.settle();
      expect(messages).toEqual(["there>here letters"]);
      expect(await read()).toMatchObject({ status: "completed", result: "x" });
    });

    it("is found at a later look when the word to the owner was lost (X2)", async () => {
      await start(here);
      await grant(here);
      lost = /letters$/;
      expect(await there.ownership.deliver(result())).toBe("counted");
      await here.ownership.reconcile();
      await here.ownership.reconcile();
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", result: "x" });
    });

    it("is not acknowledged while the store is away, for it does not lie in the inbox (X5)", async () => {
      await start(here);
      await grant(here);
      isStoreAway = true;
      const receipts: string[] = [];
      // The agent sends it again as long as it hears nothing.
      for (let sent = 0; sent < 2; sent += 1) {
        void here.ownership.deliver(result()).then((receipt) => receipts.push(receipt));
        await clock.advance(3000);
      }
      expect(receipts).toEqual([]);
      isStoreAway = false;
      expect(await read()).toMatchObject({ status: "running" });
      await clock.advance(3000);
      expect(receipts).toEqual(["counted", "counted"]);
      expect(Object.keys(await here.store.collections.executions.inbox(id))).toEqual([`result:${taskId}`]);
      expect(await read()).toMatchObject({ status: "completed", result: "x" });
    });

    it("counts once: the same again is acknowledged as counted, another one as superseded (X4)", async () => {
      const definition = definitionOf({ agents: { min: 2, max: 2 } });
      await start(here, { definition });
      await grant(here);
      const letter = result();
      for (const _ of ["first", "again"]) {
        const receipts = [here.ownership.deliver(letter), here.ownership.deliver(letter)];
        await clock.advance(20);
        expect(await Promise.all(receipts)).toEqual(["counted", "counted"]);
      }
      expect(await there.ownership.deliver(result({ result: "y" }))).toBe("superseded");
      await clock.settle();
      expect(await here.store.collections.executions.inbox(id)).toEqual({
        [`result:${taskId}`]: JSON.stringify(letter),
      });
    });

    it("comes into the inbox a moment later, or with the others that complete its execution in one write (X5)", async () => {
      await start(here, { definition: definitionOf({ agents: { min: 2, max: 2 } }) });
      await grant(here);
      await grant(here, "agent_2", `${id}:1`);
      const { executions } = here.store.collections;
      const deliver = (index: number) =>
        here.ownership.deliver(result({ taskId: `${id}:${index}`, agentId: `agent_${index + 1}` }));
      const first = deliver(0);
      await clock.settle();
      expect(await executions.inbox(id)).toEqual({});
      expect(await Promise.all([first, deliver(1)])).toEqual(["counted", "counted"]);
      expect(await read()).toMatchObject({ status: "completed" });
      expect(Object.keys(await executions.inbox(id))).toEqual([`result:${id}:0`, `result:${id}:1`]);
      expect(await executions.get(id)).toMatchObject({ version: 4 });
    });

    it("that was taken by another node counts, though its owner was told another one (X4)", async () => {
      await start(here);
      await grant(here);
      lost = /letters$/;
      expect(await there.ownership.deliver(result({ result: "y" }))).toBe("counted");
      expect(await here.ownership.deliver(result())).toBe("superseded");
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", result: "y" });
    });

    it("of an agent that was not asked for this attempt does not count", async () => {
      await start(here);
      await grant(here);
      expect(await here.ownership.deliver(result({ agentId: "agent_9" }))).toBe("superseded");
      await clock.settle();
      expect(await read()).toMatchObject({ status: "running" });
    });

    it("of an attempt that the record does not know yet is asked for again", async () => {
      await start(here);
      expect(await here.ownership.deliver(result())).toBe("unknown");
      expect(await here.ownership.deliver(result({ taskId: "exec_9:0" }))).toBe("unknown");
    });

    it("that comes after the end is superseded", async () => {
      await start(here);
      await grant(here);
      await here.ownership.deliver(result());
      await clock.settle();
      expect(await here.ownership.deliver(result())).toBe("superseded");
      expect(await there.ownership.deliver(result())).toBe("superseded");
    });

    it("of a task that was given up is superseded, while a function makes the end of the others (X4)", async () => {
      const aggregate = { strategy: "function", module: "m.js" } as const;
      const definition = definitionOf({ agents: { min: 1, max: 2 }, aggregate });
      await start(here, { definition, functionHash: "f" });
      await grant(here);
      await grant(here, "agent_2", `${id}:1`);
      const counted = here.ownership.deliver(result());
      await clock.advance(30_000);
      expect(await counted).toBe("counted");
      expect(await read()).toMatchObject({ status: "aggregating" });
      const late = result({ taskId: `${id}:1`, agentId: "agent_2" });
      for (const { ownership } of [here, there]) expect(await ownership.deliver(late)).toBe("superseded");
      expect(Object.keys(await here.store.collections.executions.inbox(id))).toEqual([`result:${taskId}`]);
    });

    it("that does not fit the pattern's schema is a failed attempt, which may be repeated", async () => {
      const definition = definitionOf({ resultSchema: { type: "number" }, retries: 1 });
      await start(here, { definition });
      await grant(here);
      expect(await here.ownership.deliver(result())).toBe("counted");
      await clock.advance(1000);
      await grant(here);
      expect(await here.ownership.deliver(result({ attempt: 2, result: 7 }))).toBe("counted");
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", result: 7 });
    });
  });

  describe("the comparison with the index (X2)", () => {
    it("takes up what this node owns and does not know, with what lies in its inbox", async () => {
      await start(here);
      await grant(here);
      here.ownership.dropAll();
      await there.ownership.deliver(result());
      const executions = here.store.collections.executions;
      await executions.update(id, { set: { owner: there.owner, nodeId: "there" } });
      await there.ownership.reconcile();
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", result: "x", nodeId: "there" });
    });

    it("takes up nothing that another node owns, whatever it is told", async () => {
      await start(here);
      there.ownership.receive({ type: "letters", from: "here", executionId: id });
      await clock.settle();
      expect(there.ownership.open).toBe(0);
      expect(here.ownership.open).toBe(1);
    });

    it("gives back the time for which a submitter waited for the store (X8)", async () => {
      await clock.advance(20_000);
      const waiting = recordOf(id, { owner: there.owner, nodeId: "there" });
      await here.store.collections.executions.create(id, waiting);
      await there.ownership.reconcile();
      await clock.settle();
      expect((await read()).deadlineAtMs).toBe(waiting.deadlineAtMs + 20_000);
    });

    it("takes up more than one page", async () => {
      const { executions } = here.store.collections;
      for (let index = 0; index < 1203; index += 1)
        await executions.create(`exec_${index}`, recordOf(`exec_${index}`, { owner: here.owner }));
      await here.ownership.reconcile();
      expect(here.ownership.open).toBe(1203);
    });

    it("loses no letter that comes in while the execution is taken up", async () => {
      await start(here);
      await grant(here);
      here.ownership.dropAll();
      const held: (() => void)[] = [];
      holdInbox = () => new Promise((resolve) => held.push(resolve));
      const looking = here.ownership.reconcile();
      await clock.settle();
      // It has read the inbox when the letter comes, whose hint makes it read once more.
      await there.ownership.deliver(result());
      await clock.settle();
      expect(held).toHaveLength(2);
      for (const release of held) {
        release();
        await clock.settle();
      }
      await looking;
      expect(await read()).toMatchObject({ status: "completed" });
    });

    it("lets go of what another node owns, without touching it", async () => {
      await start(here);
      await here.store.collections.executions.update(id, { set: { owner: there.owner, nodeId: "there" } });
      const before = await read();
      await here.ownership.reconcile();
      await clock.settle();
      expect(here.ownership.open).toBe(0);
      expect(await read()).toEqual(before);
    });

    it("writes anew what the store has lost (X6)", async () => {
      await start(here);
      await grant(here);
      const before = await read();
      shared.space.drop();
      await here.ownership.reconcile();
      await clock.settle();
      expect(await read()).toEqual(before);
    });

    it("is made as often as it is asked for, one at a time", async () => {
      const looks = [here.ownership.reconcile(), here.ownership.reconcile(), here.ownership.reconcile()];
      await start(here);
      await Promise.all(looks);
      expect(here.ownership.open).toBe(1);
    });
  });

  it("counts a result although the store has lost the record, and writes both anew (X6)", async () => {
    await start(here);
    await grant(here);
    shared.space.drop();
    expect(await here.ownership.deliver(result())).toBe("counted");
    await clock.settle();
    expect(await read()).toMatchObject({ status: "completed", result: "x" });
    expect(Object.keys(await here.store.collections.executions.inbox(id))).toEqual([`result:${taskId}`]);
    expect(await here.ownership.deliver(result())).toBe("superseded");
  });

  describe("an end that a fail-over took back (X6, attack A5)", () => {
    /** Runs it to its end, and goes back to what the store had while it ran. */
    async function endAndRewind(): Promise<ExecutionRecord> {
      await start(here, { deadlineAtMs: startMs + 600_000 });
      await grant(here);
      const before = shared.space.snapshot();
      await here.ownership.deliver(result());
      await clock.settle();
      const ended = await read();
      expect(ended).toMatchObject({ status: "completed", result: "x" });
      shared.space.restore(before);
      expect(await read()).toMatchObject({ status: "running" });
      return ended;
    }

    it("is written again, and does not run again", async () => {
      const ended = await endAndRewind();
      here.delivered.length = 0;
      await here.ownership.reconcile();
      await clock.settle();
      expect(await read()).toEqual(ended);
      expect(Object.keys(await here.store.collections.executions.inbox(id))).toEqual([`result:${taskId}`]);
      expect(here.delivered, "tasks that left once more").toEqual([]);
      expect(here.finished).toHaveLength(1);
    });

    it("is written again when its record is gone altogether", async () => {
      const ended = await endAndRewind();
      shared.space.drop();
      await here.ownership.recheck();
      await clock.settle();
      expect(await read()).toEqual(ended);
    });

    it("is written again where its first answer was lost, and somebody looked before it was repeated", async () => {
      await start(here);
      await grant(here);
      areAnswersLost = true;
      const delivered = here.ownership.deliver(result());
      await clock.settle();
      areAnswersLost = false;
      const ended = await read();
      expect(ended.status).toBe("completed");
      await here.ownership.reconcile();
      await clock.advance(5000);
      await delivered.catch(() => {});
      shared.space.drop();
      await here.ownership.recheck();
      await clock.settle();
      expect(await read()).toEqual(ended);
    });

    it("is written again where a letter comes in before anybody looked", async () => {
      const ended = await endAndRewind();
      await there.ownership.deliver(result());
      await clock.settle();
      expect(await read()).toEqual(ended);
    });

    it("is not written again after a minute, nor when another process owns it now", async () => {
      await endAndRewind();
      await clock.advance(61_000);
      await here.ownership.reconcile();
      await clock.settle();
      expect(here.ownership.open, "it is taken up as it is").toBe(1);

      await here.store.collections.executions.update(id, { set: { owner: there.owner, nodeId: "there" } });
      await here.ownership.recheck();
      await clock.settle();
      expect(await read()).toMatchObject({ status: "running", owner: there.owner });
    });
  });

  it("writes an earlier state that came back again, though nothing happens to it (X6)", async () => {
    await start(here);
    const before = shared.space.snapshot();
    await grant(here);
    const running = await read();
    shared.space.restore(before);
    expect(await there.ownership.deliver(result()), "the record does not know the attempt").toBe("unknown");
    await here.ownership.reconcile();
    await clock.settle();
    expect(await read()).toEqual(running);
    expect(await there.ownership.deliver(result())).toBe("counted");
  });

  it("puts back a letter that the store has lost while its execution goes on (X6)", async () => {
    await start(here, { definition: definitionOf({ agents: { min: 2, max: 2 } }) });
    await grant(here);
    const before = shared.space.snapshot();
    const receipt = here.ownership.deliver(result());
    await clock.advance(20);
    expect(await receipt).toBe("counted");
    shared.space.restore(before);
    await here.ownership.reconcile();
    await here.ownership.reconcile();
    expect(Object.keys(await here.store.collections.executions.inbox(id))).toEqual([`result:${taskId}`]);
  });

  describe("a request to cancel", () => {
    it.each([
      ["the owner", () => here],
      ["another node", () => there],
    ])("reaches the owner from %s", async (_, from) => {
      await start(here);
      await grant(here);
      expect(await from().ownership.cancel(id, "no more")).toBe("counted");
      await clock.settle();
      expect(await read()).toMatchObject({
        status: "cancelled",
        error: { code: "cancelled", message: "no more" },
      });
    });

    it("is found at a later look when the word was lost", async () => {
      await start(here);
      lost = /letters$/;
      await there.ownership.cancel(id, "no more");
      await here.ownership.reconcile();
      await here.ownership.reconcile();
      await clock.settle();
      expect((await read()).status).toBe("cancelled");
    });

    it("is superseded once it has ended", async () => {
      await start(here);
      await here.ownership.cancel(id, "no more");
      await clock.settle();
      expect(await there.ownership.cancel(id, "again")).toBe("superseded");
    });
  });

  it("passes on what agents of other nodes report about their tasks", async () => {
    await start(here);
    await grant(here);
    there.ownership.accepted(taskId, 1);
    await clock.advance(10_000);
    expect(here.delivered, "it was accepted, so it is not sent again").toHaveLength(1);
    there.ownership.lost(taskId, 1, false);
    await clock.settle();
    expect((await read()).tasks[0]).toMatchObject({ status: "waiting", failures: 0 });
  });

  describe("a planned hand-over", () => {
    it("gives everything to the others in turn, which go on where it was, and counts as no adoption (X7)", async () => {
      await start(here);
      await grant(here);
      const further = place("further");
      await here.ownership.handOver(
        [there, further].map(({ owner }) => ({ nodeId: owner.split("#")[0] ?? "", owner, functions: [] })),
      );
      await clock.settle();
      expect(here.ownership.open).toBe(0);
      expect(there.ownership.open).toBe(1);
      expect(await read()).toMatchObject({
        owner: "there#i",
        nodeId: "there",
        adoptions: 0,
        status: "running",
      });
      expect(await here.ownership.deliver(result())).toBe("counted");
      await clock.settle();
      expect(await read()).toMatchObject({ status: "completed", nodeId: "there" });
    });

    it("counts no time from then on until another one drives it (X8)", async () => {
      await start(here);
      await grant(here);
      const { deadlineAtMs } = await read();
      there.ownership.dropAll();
      const gone = { nodeId: "gone", owner: "gone#i", functions: [] };
      await here.ownership.handOver([gone]);
      await clock.advance(7000);
      expect(await read()).toMatchObject({ nodeId: "gone", deadlineAtMs });
      expect(drivenFrom(await read(), clock.wall()).deadlineAtMs).toBeGreaterThanOrEqual(deadlineAtMs + 7000);
    });

    it("that failed is no crash either, for it is written down what its owner leaves (X7)", async () => {
      await start(here);
      await grant(here);
      for (const driver of here.ownership.drivers()) driver.drop();
      expect(here.ownership.open).toBe(0);
      await here.ownership.leave();
      expect(await read()).toMatchObject({ owner: "here#i", leftBy: "here#i", status: "running" });
    });

    it("goes to who has the function that it is aggregated with (X9)", async () => {
      await start(here, { functionHash: "f" });
      const further = place("further");
      await here.ownership.handOver([
        { nodeId: "there", owner: there.owner, functions: [] },
        { nodeId: "further", owner: further.owner, functions: ["f"] },
      ]);
      expect(await read()).toMatchObject({ nodeId: "further" });
    });

    it("takes what waits for a function to the node that has it, once one is known (X9)", async () => {
      const aggregate = { strategy: "function", module: "m.js" } as const;
      await start(here, { definition: definitionOf({ aggregate }), functionHash: "f" });
      await grant(here);
      const counted = here.ownership.deliver(result());
      await clock.advance(100);
      expect(await counted).toBe("counted");
      await here.ownership.reconcile();
      expect(await read()).toMatchObject({ status: "aggregating", nodeId: "here" });
      whoHas = (hash) => ({ nodeId: "there", owner: there.owner, functions: [hash] });
      await here.ownership.reconcile();
      await clock.settle();
      expect(await read()).toMatchObject({ status: "aggregating", nodeId: "there", adoptions: 0 });
      expect([here.ownership.open, there.ownership.open]).toEqual([0, 1]);
    });

    it("leaves alone what was given to somebody else meanwhile", async () => {
      await start(here);
      await here.store.collections.executions.update(id, { set: { owner: "further#i", nodeId: "further" } });
      await here.ownership.handOver([{ nodeId: "there", owner: there.owner, functions: [] }]);
      expect(await read()).toMatchObject({ owner: "further#i", nodeId: "further" });
    });

    it("keeps everything while there is nobody to give it to", async () => {
      await start(here);
      await here.ownership.handOver([]);
      expect(here.ownership.open).toBe(1);
      expect(await read()).toMatchObject({ owner: "here#i" });
    });
  });

  it("drops everything when its incarnation has ended, and drives nothing of it again (M6)", async () => {
    await start(here);
    await grant(here);
    here.owner = "here#next";
    here.ownership.dropAll();
    await here.ownership.reconcile();
    expect(here.ownership.open).toBe(0);
    expect(await here.ownership.deliver(result())).toBe("counted");
    await clock.settle();
    expect(await read()).toMatchObject({ status: "running", owner: "here#i" });
  });
});
