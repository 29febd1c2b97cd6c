import type { ServerResponse } from "node:http";
import type { Execution, StreamEvent } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { createClient } from "../src/index.ts";
import { deadUrl, reply, startServer } from "./scripted-server.ts";

const at = "2024-01-15T10:30:00.000Z";
const base = { id: "exec_a", pattern: "p", input: null, nodeId: "n", attempts: 1, tasks: [], createdAt: at };
const running: Execution = { ...base, status: "running" };
const completed: Execution = { ...base, status: "completed" };

function write(response: ServerResponse, name: string, data: unknown, id: string): void {
  response.write(`event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
}

function event(type: string): object {
  return { topic: "cluster", type, at };
}

function open(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

async function take(events: AsyncIterable<StreamEvent>, count: number): Promise<readonly StreamEvent[]> {
  const taken: StreamEvent[] = [];
  for await (const next of events) {
    taken.push(next);
    if (taken.length === count) break;
  }
  return taken;
}

describe("a stream of events", () => {
  it("goes on after its last event when the connection breaks, at the next address", async () => {
    await using first = await startServer((_, response) => {
      open(response);
      write(response, "event", event("leader-elected"), "c1");
      setTimeout(() => response.destroy(), 20);
    });
    await using second = await startServer((_, response) => {
      open(response);
      write(response, "gap", { topic: "cluster", reason: "trimmed" }, "c2");
      write(response, "event", event("member-joined"), "c3");
    });
    const client = createClient({ url: [first.url, second.url] });
    const taken = await take(client.events({ topics: ["cluster"] }), 3);
    expect(taken.map(({ kind, cursor }) => [kind, cursor])).toEqual([
      ["event", "c1"],
      ["gap", "c2"],
      ["event", "c3"],
    ]);
    expect(first.seen[0]).toMatchObject({ path: "/api/events?topics=cluster" });
    expect(second.seen[0]?.headers["last-event-id"]).toBe("c1");
  });

  it("begins after a given event", async () => {
    await using server = await startServer((_, response) => {
      open(response);
      write(response, "event", event("member-joined"), "c8");
    });
    await take(createClient({ url: server.url }).events({ after: "c7" }), 1);
    expect(server.seen[0]?.headers["last-event-id"]).toBe("c7");
  });

  it("skips what this version does not know, and keeps its place", async () => {
    await using server = await startServer((_, response) => {
      open(response);
      write(response, "later", { anything: 1 }, "c1");
      if (server.seen.length === 1) setTimeout(() => response.destroy(), 20);
      else write(response, "event", event("member-joined"), "c2");
    });
    expect(await take(createClient({ url: server.url }).events(), 1)).toHaveLength(1);
    expect(server.seen[1]?.headers["last-event-id"]).toBe("c1");
  });

  it("reads an event that arrives in pieces, also within a character", async () => {
    await using server = await startServer((_, response) => {
      open(response);
      const bytes = Buffer.from(
        `event: event\ndata: ${JSON.stringify({ ...event("x"), note: "Grüße" })}\n\n`,
      );
      const cut = bytes.indexOf(0xc3) + 1;
      response.write(bytes.subarray(0, cut));
      setTimeout(() => response.write(bytes.subarray(cut)), 20);
    });
    const [taken] = await take(createClient({ url: server.url }).events(), 1);
    expect(taken).toMatchObject({ event: { note: "Grüße" } });
  });

  it("of an execution ends with its final snapshot", async () => {
    await using server = await startServer((_, response) => {
      open(response);
      write(response, "snapshot", running, "1");
      write(response, "event", { ...event("execution-completed"), topic: "execution" }, "2");
      write(response, "snapshot", completed, "3");
    });
    const kinds: string[] = [];
    for await (const { kind } of createClient({ url: server.url }).executions.events("exec_a"))
      kinds.push(kind);
    expect(kinds).toEqual(["snapshot", "event", "snapshot"]);
  });

  it("throws what the server refuses, at once", async () => {
    const body = { error: { code: "execution_not_found", message: "no" }, requestId: "r" };
    await using server = await startServer((_, response) => reply(response, 404, body));
    const stream = createClient({ url: server.url }).executions.events("exec_a");
    await expect(stream.next()).rejects.toMatchObject({ code: "execution_not_found" });
    expect(server.seen).toHaveLength(1);
  });

  it("gives up soon where asked to, as long as it never began, and tells of its beginning", async () => {
    const url = await deadUrl();
    const options = { firstAttempts: 1, onOpen: () => expect.fail("nothing has opened") };
    await expect(createClient({ url }).events(options).next()).rejects.toMatchObject({ code: "unreachable" });

    let opened = 0;
    await using server = await startServer((_, response) => {
      if (server.seen.length === 2) return void response.destroy();
      open(response);
      write(response, "event", event("member-joined"), `c${server.seen.length}`);
      setTimeout(() => response.destroy(), 20);
    });
    const onOpen = (): number => (opened += 1);
    await take(createClient({ url: server.url }).events({ firstAttempts: 1, onOpen }), 2);
    expect([opened, server.seen.length]).toEqual([2, 3]);
  });

  it("gives up when nobody answers for long", async () => {
    const random = { next: () => 0 };
    const stream = createClient({ url: await deadUrl(), random }).events();
    await expect(stream.next()).rejects.toMatchObject({ code: "unreachable" });
  });

  it("ends when its signal aborts", async () => {
    await using server = await startServer((_, response) => open(response));
    const controller = new AbortController();
    const next = createClient({ url: server.url }).events({ signal: controller.signal }).next();
    setTimeout(() => controller.abort(), 20);
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("closes its connection when the loop is left", async () => {
    let closed = false;
    await using server = await startServer((_, response) => {
      open(response);
      write(response, "event", event("x"), "1");
      response.on("close", () => {
        closed = true;
      });
    });
    await take(createClient({ url: server.url }).events(), 1);
    await expect.poll(() => closed).toBe(true);
  });
});
