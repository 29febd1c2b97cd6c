import type { FeedNode } from "./nodes.ts";
import { type FeedEvent, readFeed } from "./reader.ts";

/**
 * A reader loads the orders from one node and follows what happens after that. The node dies, orders go on, and the reader
 * continues at the other node with the id of the last event that it saw. Returns what it saw.
 */
export async function tour(
  first: FeedNode,
  second: FeedNode,
  say: (line: string) => void,
): Promise<readonly FeedEvent[]> {
  const seen: FeedEvent[] = [];
  let arrived: () => void = () => {};
  async function follow(node: FeedNode, from: string, until: number): Promise<void> {
    const reader = readFeed(`${node.url}/feed`, from, (event) => {
      seen.push(event);
      say(`  ${node.name} -> reader: ${event.type} ${JSON.stringify(event.data)}`);
      arrived();
    });
    while (seen.length < until) await new Promise<void>((resolve) => (arrived = resolve));
    reader.close();
  }

  for (const order of [1, 2, 3]) await second.place(order);
  const { orders, cursor } = await loadOrders(first);
  say(`the reader loads orders ${orders.join(", ")} from ${first.name} and follows from there`);
  for (const order of [4, 5, 6]) await second.place(order);
  await follow(first, cursor, 3);

  await first.kill();
  for (const order of [7, 8, 9, 10]) await second.place(order);
  say(`${first.name} has died, four more orders were placed; the reader goes to ${second.name}`);
  await follow(second, seen.at(-1)?.id ?? cursor, 7);
  return seen;
}

async function loadOrders(node: FeedNode): Promise<{ orders: readonly unknown[]; cursor: string }> {
  const answer: unknown = await (await fetch(`${node.url}/orders`)).json();
  if (typeof answer === "object" && answer !== null && "orders" in answer && "cursor" in answer) {
    const { orders, cursor } = answer;
    if (Array.isArray(orders) && typeof cursor === "string") return { orders, cursor };
  }
  throw new Error("loading the orders: the answer is no list of orders");
}
