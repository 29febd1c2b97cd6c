import { once } from "node:events";
import { createServer } from "node:http";
import { createEventBus } from "@parallax/event-bus";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis, type RedisOptions } from "ioredis";
import { Server } from "socket.io";

/** One event of a benchmark: its number, and when it was sent, by a clock that all processes of the machine share. */
export interface Sample {
  readonly index: number;
  readonly sentAtUs: number;
}

/** A way to tell another node what happened. `where` is Redis, as a client of ioredis finds it. */
export interface Subject {
  readonly name: string;
  openSender(where: RedisOptions): Promise<Sender>;
  openReceiver(where: RedisOptions, hear: Hearing): Promise<Closeable>;
  /** The stream that a log is kept in, if there is one. */
  readonly stream: string | undefined;
}

export interface Hearing {
  readonly onArrival: (sample: Sample) => void;
  /** What was sent before is not complete: told only by subjects that notice. */
  readonly onGap: () => void;
}

export interface Closeable {
  close(): Promise<void>;
}

export interface Sender extends Closeable {
  /** Resolves once Redis has it, where the subject says so. */
  send(sample: Sample): Promise<unknown>;
}

/** The connection on which a receiver hears, as `CLIENT LIST` names it. */
export const receiverName = "bench-receiver";

/** As many as the adapter keeps by default. */
const maxEntries = 10_000;

function connect(where: RedisOptions, more: RedisOptions = {}): Redis {
  const client = new Redis({ ...where, ...more });
  client.on("error", () => {});
  return client;
}

/** Ours: ordered, with a log, and every loss is reported. */
const eventBus: Subject = {
  name: "@parallax/event-bus",
  stream: "parallax:log:bench",
  async openSender(where) {
    const client = connect({ ...where, lazyConnect: true });
    const bus = createEventBus({ store: redisTopicLog(client, { maxEntries }), onError: () => {} });
    return {
      send: (sample) => bus.publish("bench", { type: "step", ...sample }),
      close: () => bus.close(),
    };
  },
  async openReceiver(where, { onArrival, onGap }) {
    const client = connect({ ...where, lazyConnect: true });
    const bus = createEventBus({ store: redisTopicLog(client), onError: () => {} });
    await bus.subscribe("bench", {}, (item) => {
      if (item.type === "gap") onGap();
      else onArrival(sampleOf(item.event));
    }).ready;
    return { close: () => bus.close() };
  },
};

/** Redis as it is: no log, no order across a reconnect, and a loss is not noticed. The floor. */
const pubSub = (name: string, options: RedisOptions): Subject => ({
  name,
  stream: undefined,
  async openSender(where) {
    const client = connect(where, options);
    return {
      send: (sample) => client.publish("bench", JSON.stringify({ type: "step", ...sample })),
      close: async () => client.disconnect(),
    };
  },
  async openReceiver(where, { onArrival }) {
    const client = connect(where, { connectionName: receiverName });
    await client.subscribe("bench");
    client.on("message", (_, payload: string) => onArrival(sampleOf(JSON.parse(payload))));
    return { close: async () => client.disconnect() };
  },
});

/** What people reach for who use Socket.IO: what one of its servers broadcasts reaches the others through a stream. */
const streamsAdapter: Subject = {
  name: "@socket.io/redis-streams-adapter",
  stream: "socket.io",
  async openSender(where) {
    const { io, close } = await openServer(connect(where));
    return { send: async ({ index, sentAtUs }) => io.emit("step", index, sentAtUs), close };
  },
  async openReceiver(where, { onArrival }) {
    const { io, close } = await openServer(connect(where, { connectionName: receiverName }));
    // Where the adapter hands a broadcast of another server on to its own sockets: these are not what is measured.
    Object.defineProperty(io.of("/").adapter, "onMessage", {
      value(message: { readonly data?: { readonly packet?: { readonly data?: readonly unknown[] } } }) {
        const [name, index, sentAtUs] = message.data?.packet?.data ?? [];
        if (name === "step") onArrival({ index: Number(index), sentAtUs: Number(sentAtUs) });
      },
    });
    return { close };
  },
};

async function openServer(client: Redis): Promise<Closeable & { readonly io: Server }> {
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(client, { maxLen: maxEntries }) });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    io,
    async close() {
      await io.close();
      client.disconnect();
    },
  };
}

function sampleOf(event: Readonly<Record<string, unknown>>): Sample {
  return { index: Number(event.index), sentAtUs: Number(event.sentAtUs) };
}

export const subjects: readonly Subject[] = [
  eventBus,
  pubSub("PUBLISH / SUBSCRIBE", {}),
  pubSub("PUBLISH / SUBSCRIBE, auto-pipelined", { enableAutoPipelining: true }),
  streamsAdapter,
];
