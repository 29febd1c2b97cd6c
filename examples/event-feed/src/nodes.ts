import { createServer, type ServerResponse } from "node:http";
import { createEventBus, type EventBus, type TopicLog } from "@parallax/event-bus";
import { memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { Redis } from "ioredis";
import { serveFeed } from "./feed.ts";

/** A node that takes orders, serves them at `/orders`, and what happens to them at `/feed`. */
export interface FeedNode {
  readonly name: string;
  readonly url: string;
  place(order: number): Promise<void>;
  /** Ends like a process that is killed: the sockets break. */
  kill(): Promise<void>;
}

/** Where the nodes keep their logs: the Redis of `REDIS_URL`, or this process. */
export function openLogs(redisUrl: string | undefined): {
  connect: () => TopicLog;
  close: () => void;
} {
  if (redisUrl === undefined || redisUrl === "") {
    const space = memoryEventLogSpace();
    return { connect: () => memoryTopicLog(space), close: () => {} };
  }
  const client = new Redis(redisUrl);
  return { connect: () => redisTopicLog(client), close: () => client.disconnect() };
}

/** Starts a node on a free port of 127.0.0.1. `orders` is the database that all nodes share. */
export async function startNode(name: string, store: TopicLog, orders: number[]): Promise<FeedNode> {
  const bus = createEventBus({ store });
  const server = createServer((request, response) => {
    const served =
      request.url === "/feed"
        ? serveFeed(bus, "order", request, response)
        : serveOrders(bus, orders, response);
    served.catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    async place(order) {
      orders.push(order);
      await bus.publish("order", { type: "placed", order });
    },
    async kill() {
      server.close();
      server.closeAllConnections();
      await bus.close();
    },
  };
}

/** The position comes first: an order that is placed in between is then in both, and in neither never. */
async function serveOrders(
  bus: EventBus,
  orders: readonly number[],
  response: ServerResponse,
): Promise<void> {
  const cursor = await bus.position("order");
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ orders, cursor }));
}
