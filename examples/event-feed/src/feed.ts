import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Delivered, EventBus, From, Gap } from "@parallax/event-bus";

/** How often a comment is sent so that proxies keep a silent connection open. */
const keepAliveMs = 15_000;

/**
 * Answers a request with the events of a topic, as server-sent events. Each carries the bus's cursor as its id, so a browser
 * that reconnects, to whichever node, sends it as `Last-Event-ID` and gets exactly what it missed. What it can't get any
 * more is an event of type `gap`, and so is a reader that is too slow: the page reloads its data then.
 */
export async function serveFeed(
  bus: EventBus,
  topic: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write("retry: 200\n\n");
  const keepAlive = setInterval(() => response.write(": still here\n\n"), keepAliveMs);
  try {
    const bounds = { signal: gone.signal, limit: 256, overflow: "drop-oldest" } as const;
    for await (const item of bus.iterate(topic, { from: startOf(request), ...bounds })) {
      const written = response.write(format(item));
      if (!written) await once(response, "drain", { signal: gone.signal });
    }
  } catch (error) {
    if (!gone.signal.aborted) response.write(`event: error\ndata: ${JSON.stringify(String(error))}\n\n`);
  } finally {
    clearInterval(keepAlive);
    response.end();
  }
}

function startOf(request: IncomingMessage): From {
  const cursor = request.headers["last-event-id"];
  return typeof cursor === "string" && cursor !== "" ? { cursor } : "now";
}

function format(item: Delivered | Gap): string {
  const [type, data] =
    item.type === "gap"
      ? ["gap", { from: item.from, to: item.to, reason: item.reason }]
      : [item.event.type, item.event];
  return `id: ${item.cursor}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
