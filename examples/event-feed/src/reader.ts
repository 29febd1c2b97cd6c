import { get, type IncomingMessage } from "node:http";

/** A server-sent event. */
export interface FeedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

/** One connection to a feed: what a browser's `EventSource` does, without its reconnecting. */
export interface Reader {
  close(): void;
}

/** Reads a feed from just after `lastEventId`. */
export function readFeed(url: string, lastEventId: string, onEvent: (event: FeedEvent) => void): Reader {
  const request = get(url, { headers: { "last-event-id": lastEventId } });
  // A node that dies breaks the connection; whoever follows looks for another.
  request.on("error", () => {});
  request.on("response", (response: IncomingMessage) => {
    response.setEncoding("utf8").on("error", () => {});
    let text = "";
    response.on("data", (chunk: string) => {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop() ?? "";
      for (const event of blocks.flatMap((block) => parse(block) ?? [])) onEvent(event);
    });
  });
  return { close: () => request.destroy() };
}

function parse(block: string): FeedEvent | undefined {
  const fields = new Map(
    block.split("\n").map((line): [string, string] => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const [id, type, data] = [fields.get("id"), fields.get("event"), fields.get("data")];
  if (id === undefined || type === undefined || data === undefined) return undefined;
  return { id, type, data: JSON.parse(data) };
}
