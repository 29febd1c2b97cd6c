import { createClient } from "@parallax/client";
import type { Execution } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStream, type Stream } from "../support/event-stream.ts";
import { gate } from "../support/gate.ts";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { call, errorOf } from "../support/requests.ts";

/** The types of events, in order. */
function types({ events }: Stream): string[] {
  return events.map((each) => (each.kind === "event" ? each.event.type : each.kind));
}
/** Which executions have completed, as the stream tells. */
function completed({ events }: Stream): unknown[] {
  return events.flatMap((each) =>
    each.kind === "event" && each.event.type === "execution-completed" ? [each.event.id] : [],
  );
}

describe("server-sent events", () => {
  let nodes: LocalNodes;
  let streams: Stream[];

  beforeEach(async () => {
    nodes = await startNodes(2);
    streams = [];
    await nodes.client(0).patterns.put(workPattern("one", { timeout: "20s" }));
    await nodes.agent({ at: 0, slots: 20, handler: async ({ input }) => ({ result: input }) });
  });
  afterEach(async () => {
    for (const stream of streams) stream.close();
    await nodes.stop();
  });

  const path = (index: number, rest: string): string => `${nodes.node(index).url}${rest}`;
  async function follow(url: string, lastEventId?: string): Promise<Stream> {
    const stream = await openStream(url, lastEventId);
    streams.push(stream);
    return stream;
  }

  it("of one execution tell how far its tasks are, on the agent's node and on another, and are resumed as before", async () => {
    await nodes.client(0).patterns.put(workPattern("long", { capabilities: ["long"], timeout: "20s" }));
    const done = gate();
    await nodes.agent({
      at: 0,
      capability: "long",
      async handler(_, { progress }) {
        const ticking = setInterval(() => progress(0.5, "half of it"), 50);
        await done.opened;
        clearInterval(ticking);
        return { result: "all of it" };
      },
    });
    const { id } = await nodes.client(0).executions.submit({ pattern: "long" });
    const both = await Promise.all(
      [0, 1].map((index) => follow(path(index, `/api/executions/${id}/events`))),
    );
    for (const stream of both) {
      const said = await eventually(() =>
        stream.events.find((each) => each.kind === "event" && each.event.type === "task-progress"),
      );
      expect(said).toMatchObject({
        cursor: undefined,
        event: { topic: "execution", id, taskId: `${id}:0`, attempt: 1, value: 0.5, message: "half of it" },
      });
    }
    const lastId = both[1]?.lastId();
    done.open();
    await Promise.all(both.map(({ ended }) => ended));
    const resumed = await follow(path(0, `/api/executions/${id}/events`), lastId);
    await resumed.ended;
    expect(types(resumed).at(-1)).toBe("snapshot");
    expect(types(resumed)).toContain("execution-completed");
    expect(types(resumed)).not.toContain("task-progress");
  });
  const run = (input: unknown): Promise<Execution> =>
    nodes.client(0).executions.run({ pattern: "one", input });

  describe("of one execution", () => {
    it("tell its whole history on any node, then how it ended, and end", async () => {
      const execution = await run("x");
      for (const index of [0, 1]) {
        const stream = await follow(path(index, `/api/executions/${execution.id}/events`));
        await stream.ended;
        expect(types(stream)).toEqual([
          "execution-created",
          "execution-running",
          "execution-aggregating",
          "execution-completed",
          "snapshot",
        ]);
        const last = stream.events.at(-1);
        expect(last?.kind === "snapshot" && last.execution).toEqual(execution);
      }
    });

    it("come as they happen, and end with the execution", async () => {
      await nodes.client(0).patterns.put(workPattern("later", { capabilities: ["later"], timeout: "20s" }));
      const { id } = await nodes.client(0).executions.submit({ pattern: "later" });
      const stream = await follow(path(1, `/api/executions/${id}/events`));
      await eventually(() => stream.events.length === 1);
      await nodes.agent({ at: 0, capability: "later", handler: async () => ({ result: 1 }) });
      await stream.ended;
      expect(types(stream).slice(-2)).toEqual(["execution-completed", "snapshot"]);
    });

    it("go on after Last-Event-ID, on another node", async () => {
      const { id } = await run("x");
      const whole = await follow(path(0, `/api/executions/${id}/events`));
      await whole.ended;
      const second = whole.events[1]?.cursor;
      const rest = await follow(path(1, `/api/executions/${id}/events`), second);
      await rest.ended;
      expect(types(rest)).toEqual(types(whole).slice(2));
      const nothing = await follow(path(1, `/api/executions/${id}/events`), whole.lastId());
      await nothing.ended;
      expect(types(nothing)).toEqual(["snapshot"]);
    });

    it("are refused for an execution that is not there, and with an id that is none", async () => {
      const none = await call(path(0, "/api/executions/exec_none/events"));
      expect(errorOf(none, 404).code).toBe("execution_not_found");
      const { id } = await run("x");
      const wrong = await call(path(0, `/api/executions/${id}/events`), {
        headers: { "Last-Event-ID": "yesterday" },
      });
      expect(errorOf(wrong, 400).code).toBe("invalid_cursor");
    });
  });

  describe("of all that happens", () => {
    it("come as they happen on any node, each with a cursor, times and references", async () => {
      const stream = await follow(path(1, "/api/events"));
      const { id } = await run("x");
      await eventually(() => completed(stream).length === 1);
      // A busy machine may tell of a late beat in between.
      const created = stream.events.find(
        (each) => each.kind === "event" && each.event.type === "execution-created",
      );
      expect(created).toEqual({
        kind: "event",
        cursor: expect.stringMatching(/^[\w-]+$/),
        event: {
          topic: "execution",
          type: "execution-created",
          at: expect.stringMatching(/^\d{4}-.*Z$/),
          id,
          status: "pending",
          pattern: "one",
          nodeId: "node-0",
          version: 1,
        },
      });
    });

    it("tell of agents, members and leaders too, and only of the topics that are asked for", async () => {
      const all = await follow(path(0, "/api/events"));
      const some = await follow(path(0, "/api/events?topics=agent,cluster"));
      await run("x");
      const agent = await nodes.agent({ at: 1, handler: async () => ({ result: 1 }) });
      await agent.stop();
      await nodes.start("node-2");
      await nodes.client(0).stepDown();
      await eventually(() => types(some).includes("leader-elected"));
      for (const type of ["agent-connected", "agent-left", "member-joined", "leader-elected"]) {
        expect(types(some)).toContain(type);
        expect(types(all)).toContain(type);
      }
      expect(types(some).filter((type) => type.startsWith("execution"))).toEqual([]);
      expect(errorOf(await call(path(0, "/api/events?topics=weather")), 400).code).toBe("invalid_request");
    });

    it("go on after Last-Event-ID on another node, with none twice and none missing", async () => {
      const first = await follow(path(0, "/api/events?topics=execution"));
      const before = await Promise.all([1, 2, 3].map(run));
      await eventually(() => completed(first).length === 3);
      first.close();
      const between = await Promise.all([4, 5, 6].map(run));
      const second = await follow(path(1, "/api/events?topics=execution"), first.lastId());
      const after = await Promise.all([7, 8].map(run));
      await eventually(() => completed(second).length === 5);
      const told = [...completed(first), ...completed(second)];
      expect(told.sort()).toEqual([...before, ...between, ...after].map(({ id }) => id).sort());
      expect(types(second)).not.toContain("gap");
    });

    it("say so where events are gone for good", async () => {
      const first = await follow(path(0, "/api/events?topics=execution"));
      await run(1);
      await eventually(() => completed(first).length === 1);
      first.close();
      await run(2);
      nodes.space.log.trim("execution", 0, 1);
      const second = await follow(path(1, "/api/events?topics=execution"), first.lastId());
      await eventually(() => second.events.length > 0);
      expect(second.events[0]).toMatchObject({
        kind: "gap",
        gap: { topic: "execution", reason: "trimmed" },
      });
    });

    it.each([
      ["that is none", "yesterday"],
      ["with a position that is none", Buffer.from('{"execution":"x"}').toString("base64url")],
      ["of another shape", Buffer.from('{"execution":1}').toString("base64url")],
    ])("are refused with a Last-Event-ID %s, with a status and not in the stream", async (_, id) => {
      const answer = await call(path(0, "/api/events"), { headers: { "Last-Event-ID": id } });
      expect(errorOf(answer, 400).code).toBe("invalid_cursor");
    });

    it("end with a word when to come back while the node drains, and go on elsewhere", async () => {
      const stream = await follow(path(0, "/api/events?topics=execution"));
      await run(1);
      await eventually(() => completed(stream).length === 1);
      const stopped = nodes.node(0).stop();
      await stream.ended;
      expect(stream.retryMs()).toBeGreaterThan(0);
      const other = await follow(path(1, "/api/events?topics=execution"), stream.lastId());
      await nodes.agent({ at: 1, handler: async () => ({ result: 2 }) });
      const { id } = await nodes.client(1).executions.run({ pattern: "one", input: 2 });
      await eventually(() => completed(other).includes(id));
      await stopped;
    });

    it("begin with the word to come back where the node drains already", async () => {
      await nodes.client(0).drain();
      const stream = await follow(path(0, "/api/events"));
      await stream.ended;
      expect(stream.retryMs()).toBeGreaterThan(0);
    });
  });

  it("are followed by the client across a drain, without a gap", async () => {
    const client = createClient({ url: [...nodes.urls] });
    const controller = new AbortController();
    const told: unknown[] = [];
    const following = (async () => {
      for await (const each of client.events({ topics: ["execution"], signal: controller.signal }))
        if (each.kind === "event" && each.event.type === "execution-completed") told.push(each.event.id);
    })().catch(() => {});
    await nodes.agent({ at: 1, slots: 20, handler: async ({ input }) => ({ result: input }) });
    const ids: string[] = [];
    await eventually(async () => {
      ids.push((await nodes.client(1).executions.run({ pattern: "one" })).id);
      return told.length > 0;
    });
    const heardFrom = ids.findIndex((id) => told.includes(id));
    const stopped = nodes.node(0).stop();
    for (let index = 0; index < 10; index += 1)
      ids.push((await nodes.client(1).executions.run({ pattern: "one" })).id);
    await stopped;
    ids.push((await nodes.client(1).executions.run({ pattern: "one" })).id);
    await eventually(() => told.includes(ids.at(-1)));
    expect(told).toEqual(ids.slice(heardFrom));
    controller.abort();
    await following;
  });
});
