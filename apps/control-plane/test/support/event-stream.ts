import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { parseStreamEvent, type StreamEvent } from "@parallax/protocol";
import { expect } from "vitest";

/** What came over one stream of server-sent events so far. */
export interface Stream {
  readonly events: StreamEvent[];
  /** The id of the last event, to go on with. */
  lastId(): string;
  /** What `retry:` said, if it did. */
  retryMs(): number | undefined;
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Reads a stream, strictly: whatever is not an event of ours fails the test. */
export async function openStream(url: string, lastEventId?: string): Promise<Stream> {
  const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  // Not `fetch`: when it is aborted, it opens a connection for the next request, which the node would wait for at its end.
  const [response]: IncomingMessage[] = await once(get(url, { headers, agent: false }), "response");
  if (!response) throw new Error("there is no answer");
  expect(response.statusCode).toBe(200);
  expect(response.headers["content-type"]).toMatch(/^text\/event-stream/);
  const events: StreamEvent[] = [];
  let lastId = "";
  let retryMs: number | undefined;

  function take(block: string): void {
    const fields = new Map(
      block
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
    );
    if (fields.has("retry")) retryMs = Number(fields.get("retry"));
    const data = fields.get("data");
    if (data === undefined) return;
    lastId = fields.get("id") ?? lastId;
    if (fields.get("event") === "position") return;
    const event = parseStreamEvent({ id: fields.get("id"), name: fields.get("event"), data });
    if (!event) throw new Error(`this is no event of ours: ${block}`);
    events.push(event);
  }

  async function read(): Promise<void> {
    response?.setEncoding("utf8");
    let text = "";
    for await (const chunk of response ?? []) {
      text += String(chunk);
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) take(block);
    }
  }

  let closed = false;
  const ended = read().catch((error: unknown) => {
    if (!closed) throw error;
  });
  function close(): void {
    closed = true;
    response?.destroy();
  }
  return { events, lastId: () => lastId, retryMs: () => retryMs, ended, close };
}
