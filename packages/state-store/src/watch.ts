import { ParallaxError } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Collection, Fields, ListOptions, Stored, WatchEvent } from "./collection.ts";
import type { StoreContext } from "./context.ts";
import type { Layout } from "./store.ts";

type WatchedEvents = Pick<EventBus, "position" | "iterate">;
type WatchOptions<Value extends Fields> = Parameters<Collection<Value>["watch"]>[0];

/** The bus and the topic of a collection. @throws ParallaxError `no_topic` */
export function topicOf(
  { bus }: StoreContext,
  { collection, topic }: Layout,
): { readonly bus: WatchedEvents; readonly topic: string } {
  if (bus && topic !== undefined) return { bus, topic };
  const missing = bus ? "it has no topic; give it one" : "the store has no event bus; create it with one";
  throw new ParallaxError("no_topic", `following the changes of ${collection}: ${missing}`);
}

/**
 * The position first, then the records, then what happened since the position: nothing falls between, though an event may
 * tell of a change that the records show already (its `version` says so). After a gap everything begins anew (E1).
 */
export async function* watchCollection<Value extends Fields>(
  context: StoreContext,
  layout: Layout,
  list: Collection<Value>["list"],
  options: WatchOptions<Value> = {},
): AsyncGenerator<WatchEvent<Value>, void, undefined> {
  const { bus, topic } = topicOf(context, layout);
  const { signal, ...query } = options;
  const bounds = signal ? { signal } : {};
  while (!signal?.aborted) {
    const cursor = await bus.position(topic);
    yield { type: "snapshot", records: await listAll(list, query) };
    for await (const delivered of bus.iterate(topic, { from: { cursor }, ...bounds })) {
      if (delivered.type === "gap") break;
      const { event } = delivered;
      if (typeof event.id === "string") yield { type: "changed", id: event.id, event };
    }
  }
}

async function listAll<Value extends Fields>(
  list: Collection<Value>["list"],
  query: Pick<ListOptions<Value>, "index" | "value">,
): Promise<readonly Stored<Value>[]> {
  const records = new Map<string, Stored<Value>>();
  let cursor: string | undefined;
  do {
    const page = await list({ ...query, limit: 1000, ...(cursor !== undefined && { cursor }) });
    for (const record of page.records) records.set(record.id, record);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...records.values()];
}
