import { type Clock, isParallaxError, type Logger, onAbort, ParallaxError } from "@parallax/core";
import type { BusEvent, Cursor, Delivered, EventBus, Gap, Subscription } from "@parallax/event-bus";
import {
  type ClusterEvent,
  type EventTopic,
  type Execution,
  eventTopics,
  streamEvents,
  streamExecutionEvents,
} from "@parallax/protocol";
import type { Collection } from "@parallax/state-store";
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Progress, TaskProgress } from "../agents/progress.ts";
import type { Catalog } from "../executions/catalog.ts";
import { type ExecutionRecord, isFinal } from "../executions/record.ts";
import { goesOnFrom, invalidCursor, type Place, readPlace, writePlace } from "./place.ts";
import type { Router } from "./route.ts";

export interface EventRoutesOptions {
  readonly catalog: Pick<Catalog, "get">;
  readonly executions: Collection<ExecutionRecord>;
  readonly bus: EventBus;
  readonly progress: Pick<Progress, "follow">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly draining: AbortSignal;
}

/** A comment now and then keeps proxies from cutting a silent stream. */
const keepAliveMs = 15_000;
/** What readers that were sent away wait before they come back, in ms. */
const retryMs = 1000;
/** How many events may wait for a slow reader before its stream is ended. */
const queueLimit = 4096;

/** How many streams a node serves at once (S7). */
const maxStreams = 10_000;

/** `/api/events` and `/api/executions/:id/events`: server-sent events, resumable on any node. */
export function addEventRoutes(router: Router, options: EventRoutesOptions): void {
  const { bus, catalog } = options;
  const open = createStreams(options.logger);

  router.add(streamEvents, ({ query, headers }, context) => {
    const wanted = query.topics?.split(",");
    const topics = eventTopics.filter((topic) => wanted === undefined || wanted.includes(topic));
    const start = readCursors(headers["Last-Event-ID"]);
    if (context.req.method === "HEAD") return headOf();
    // Before the stream begins: what is refused here is answered with its status.
    return open(context, () => {
      const following = followTopics(bus, topics, start);
      return (stream) => streamTopics(stream, following, start, options);
    });
  });

  router.add(streamExecutionEvents, async ({ params: { id }, headers }, context) => {
    const lastId = headers["Last-Event-ID"] ?? "";
    const after = readPlace(lastId);
    await catalog.get(id).catch((error: unknown) => {
      if (lastId !== "" && isParallaxError(error, "execution_not_found")) throw gone(id, error);
      throw error;
    });
    if (context.req.method === "HEAD") return headOf();
    return open(context, () => (stream) => streamExecution(stream, { id, after }, options));
  });
}

/** What a stream would begin with. */
function headOf(): Response {
  return new Response(null, { headers: { "Content-Type": "text/event-stream" } });
}

type Write = (stream: SSEStreamingApi) => Promise<void>;

/** Opens streams, as many at once as there may be. @throws ParallaxError `overloaded` */
function createStreams(logger: Logger): (context: Context, begin: () => Write) => Response {
  let count = 0;
  return (context, begin) => {
    if (count >= maxStreams) {
      const message = `following events: this node already serves ${maxStreams} streams; try another node, or later`;
      throw new ParallaxError("overloaded", message);
    }
    const write = begin();
    count += 1;
    context.header("X-Accel-Buffering", "no");
    return streamSSE(context, async (stream) => {
      try {
        await write(stream);
      } catch (error) {
        // The status is long sent: whoever reads comes back, here or elsewhere, and goes on where it was.
        logger.debug("a stream of events ended early", { error });
        if (!stream.aborted) await stream.write(`retry: ${retryMs}\n\n`);
      } finally {
        count -= 1;
      }
    });
  };
}

/** From the record's own log; the topic only says when to look again. What agents say of how far they are comes as it is. */
async function streamExecution(
  stream: SSEStreamingApi,
  { id, after }: { readonly id: string; readonly after: Place },
  options: EventRoutesOptions,
): Promise<void> {
  const { bus, catalog, executions } = options;
  const changes = createQueue<"change" | TaskProgress>(stream, options);
  const subscription = bus.subscribe("execution", { from: "now" }, (delivered) => {
    if (delivered.type === "gap" || delivered.event.id === id) changes.push("change");
  });
  const unfollow = options.progress.follow(id, changes.push);
  const snapshot = (execution: Execution, place: Place): Promise<unknown> =>
    stream.write(messageText("snapshot", writePlace(place), JSON.stringify(execution)));
  try {
    await subscription.ready;
    let last = after;
    changes.push("change");
    for (let items = await changes.next(); items.length > 0; items = await changes.next()) {
      const said = items.filter((item) => item !== "change");
      if (said.length > 0)
        await stream.write(said.map((item) => progressText(id, item, options.clock)).join(""));
      if (said.length === items.length) continue;
      // First the execution, then its log: one that had ended then has its last event there.
      const execution = await catalog.get(id);
      const log = (await executions.log(id)) ?? [];
      if (!goesOnFrom(last, log)) {
        // E1: what this reader had seen last is not there any more, so the state itself takes the place of its history.
        last = log.at(-1) ?? { sequence: 0 };
        if (!isFinal(execution.status)) await snapshot(execution, last);
      }
      let text = "";
      const { sequence: seen } = last;
      for (const entry of log.filter(({ sequence }) => sequence > seen)) {
        last = entry;
        text += messageText("event", writePlace(entry), dataOf("execution", entry.event, entry.atMs));
      }
      if (text !== "") await stream.write(text);
      if (!isFinal(execution.status)) continue;
      await snapshot(execution, last);
      return;
    }
  } catch (error) {
    if (!isParallaxError(error, "execution_not_found")) throw error;
  } finally {
    unfollow();
    subscription.close();
    changes.close();
  }
}

/** Without an id: nobody resumes behind it, for it is stored nowhere. */
function progressText(id: string, progress: TaskProgress, clock: Clock): string {
  const event = { type: "task-progress", id, ...progress };
  return messageText("event", undefined, shownText("execution", event, clock.wall()));
}

type Cursors = Partial<Record<EventTopic, Cursor>>;

interface Item {
  readonly topic: EventTopic;
  readonly delivered: Delivered | Gap;
}

/** Subscriptions to topics, begun at once; whoever listens is named in the same tick. */
interface Following {
  readonly subscriptions: readonly { readonly topic: EventTopic; readonly subscription: Subscription }[];
  onItem: (item: Item) => void;
  close(): void;
}

/** @throws ParallaxError `invalid_cursor` */
function followTopics(bus: EventBus, topics: readonly EventTopic[], start: Cursors): Following {
  const subscriptions: { topic: EventTopic; subscription: Subscription }[] = [];
  const following: Following = {
    subscriptions,
    onItem: () => {},
    close() {
      for (const { subscription } of subscriptions) subscription.close();
    },
  };
  try {
    for (const topic of topics) {
      const cursor = start[topic];
      const from = cursor === undefined ? ("now" as const) : { cursor };
      const subscription = bus.subscribe(topic, { from }, (delivered) =>
        following.onItem({ topic, delivered }),
      );
      subscriptions.push({ topic, subscription });
    }
  } catch (error) {
    following.close();
    throw error;
  }
  return following;
}

async function streamTopics(
  stream: SSEStreamingApi,
  following: Following,
  start: Cursors,
  options: EventRoutesOptions,
): Promise<void> {
  const cursors: Cursors = { ...start };
  const queue = createQueue<Item>(stream, options);
  following.onItem = queue.push;
  try {
    await Promise.all(following.subscriptions.map(({ subscription }) => subscription.ready));
    for (const { topic, subscription } of following.subscriptions) cursors[topic] ??= subscription.cursor();
    // Whoever is cut off before the first event goes on from here, too.
    await stream.write(messageText("position", writeCursors(cursors), "{}"));
    for (let items = await queue.next(); items.length > 0; items = await queue.next()) {
      let text = "";
      for (const { topic, delivered } of items) {
        cursors[topic] = delivered.cursor;
        text += deliveredText(topic, delivered, writeCursors(cursors));
      }
      // All of them in one piece: a write costs far more than an event.
      await stream.write(text);
    }
  } finally {
    following.close();
    queue.close();
  }
}

function deliveredText(topic: EventTopic, delivered: Delivered | Gap, id: string): string {
  if (delivered.type === "gap")
    return messageText("gap", id, JSON.stringify({ topic, reason: delivered.reason }));
  return messageText("event", id, dataOf(topic, delivered.event, delivered.atMs));
}

/** Events are the same objects for all who follow a topic, and so is the text of those that came last. */
const lastTexts = new Map<BusEvent, string>();
const maxLastTexts = 256;

function dataOf(topic: EventTopic, event: BusEvent, atMs: number): string {
  const known = lastTexts.get(event);
  if (known !== undefined) return known;
  const text = shownText(topic, event, atMs);
  // All at once: to take away the oldest each time costs more than a text.
  if (lastTexts.size >= maxLastTexts) lastTexts.clear();
  lastTexts.set(event, text);
  return text;
}

function shownText(topic: EventTopic, event: BusEvent, atMs: number): string {
  return JSON.stringify({ ...event, topic, at: new Date(atMs).toISOString() } satisfies ClusterEvent);
}

type MessageName = "event" | "gap" | "position" | "snapshot";

/** One message of the stream. JSON has no line breaks, nor has an id. */
function messageText(name: MessageName, id: string | undefined, data: string): string {
  return `event: ${name}\ndata: ${data}\n${id === undefined ? "" : `id: ${id}\n`}\n`;
}

/** The positions in all topics, as one id. */
function writeCursors(cursors: Cursors): string {
  return Buffer.from(JSON.stringify(cursors)).toString("base64url");
}

function readCursors(id: string | undefined): Cursors {
  if (id === undefined || id === "") return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(id, "base64url").toString());
    const entries = eventTopics.map((topic) => [topic, Reflect.get(Object(value), topic)] as const);
    if (entries.every(([, cursor]) => cursor === undefined || typeof cursor === "string")) {
      return Object.fromEntries(entries.filter(([, cursor]) => cursor !== undefined));
    }
  } catch {
    // Said below: whatever is wrong with it, the remedy is the same.
  }
  throw invalidCursor();
}

function gone(id: string, cause: unknown): ParallaxError<"gone"> {
  const message = `resuming the events of execution ${id}: it is no longer kept, nor are its events; nothing is left to follow`;
  return new ParallaxError("gone", message, { cause });
}

interface Queue<Item> {
  push(item: Item): void;
  /** All that waits. Nothing when the stream is to end: its reader left or is too slow, or the node drains. */
  next(): Promise<readonly Item[]>;
  close(): void;
}

/** What waits to be written to one reader, bounded, with the comments that keep the stream alive. */
function createQueue<Item>(stream: SSEStreamingApi, { clock, draining }: EventRoutesOptions): Queue<Item> {
  let items: Item[] = [];
  let over = false;
  let wake: () => void = () => {};
  const end = (): void => {
    over = true;
    wake();
  };
  stream.onAbort(end);
  const forget = onAbort(draining, end);
  const stopKeepAlive = clock.every(keepAliveMs, () => void stream.write(": still here\n\n"));
  return {
    push(item) {
      if (items.length >= queueLimit) return end();
      items.push(item);
      wake();
    },
    async next() {
      while (!over && items.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const waiting = items;
      items = [];
      if (!over) return waiting;
      if (!stream.aborted) await stream.write(`retry: ${retryMs}\n\n`);
      return [];
    },
    close() {
      stopKeepAlive();
      forget();
    },
  };
}
