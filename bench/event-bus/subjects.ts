import { once } from "node:events";
import { createServer } from "node:http";
import { createEventBus } from "@parallax/event-bus";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

/** A way to tell another node what happened. */
export interface Subject {
  readonly name: string;
  /** Two nodes on one Redis: `send` on one, `onArrival` and `onGap` on the other. Each number is sent once. */
  open(url: string, onArrival: (index: number) => void, onGap: () => void): Promise<OpenSubject>;
}

export interface OpenSubject {
  send(index: number): Promise<unknown>;
  /** The stream that a log keeps, if there is one. */
  readonly stream: string | undefined;
  /** Names of the connections on which the receiver hears of events, as `CLIENT LIST` has them. */
  readonly receivers: string;
  close(): Promise<void>;
}

const maxEntries = 10_000;

/** Ours: ordered, with a log, and every loss is reported. */
const eventBus: Subject = {
  name: "@parallax/event-bus",
  async open(url, onArrival, onGap) {
    const client = new Redis(url);
    const [sender, receiver] = [client, client].map((source) =>
      createEventBus({ store: redisTopicLog(source, { maxEntries }), onError: () => {} }),
    );
    if (!sender || !receiver) throw new Error("opening two buses: there are fewer");
    await receiver.subscribe("bench", {}, (item) => {
      if (item.type === "gap") onGap();
      else onArrival(Number(item.event.index));
    }).ready;
    return {
      send: (index) => sender.publish("bench", { type: "step", index }),
      stream: "parallax:log:bench",
      receivers: "parallax:subscriber",
      async close() {
        await Promise.all([sender.close(), receiver.close()]);
        client.disconnect();
      },
    };
  },
};

/** Redis as it is: no log, no order across a reconnect, and a loss is not noticed. The floor. */
const pubSub: Subject = {
  name: "PUBLISH / SUBSCRIBE",
  async open(url, onArrival) {
    const sender = new Redis(url);
    const receiver = new Redis(url, { connectionName: "bench:receiver" });
    receiver.on("error", () => {});
    await receiver.subscribe("bench");
    receiver.on("message", (_, payload: string) => {
      const message: { index: number } = JSON.parse(payload);
      onArrival(message.index);
    });
    return {
      send: (index) => sender.publish("bench", JSON.stringify({ type: "step", index })),
      stream: undefined,
      receivers: "bench:receiver",
      async close() {
        sender.disconnect();
        receiver.disconnect();
      },
    };
  },
};

/** What people reach for who use Socket.IO: its servers tell each other through a stream. */
const streamsAdapter: Subject = {
  name: "@socket.io/redis-streams-adapter",
  async open(url, onArrival) {
    const clients = ["sender", "receiver"].map((role) => new Redis(url, { connectionName: `bench:${role}` }));
    const servers = await Promise.all(
      clients.map(async (client) => {
        client.on("error", () => {});
        const http = createServer();
        const io = new Server(http, { adapter: createAdapter(client, { maxLen: maxEntries }) });
        http.listen(0, "127.0.0.1");
        await once(http, "listening");
        return io;
      }),
    );
    const [sender, receiver] = servers;
    if (!sender || !receiver) throw new Error("opening two servers: there are fewer");
    const first = new Promise<void>((resolve) => {
      receiver.on("step", (index: number) => (index < 0 ? resolve() : onArrival(index)));
    });
    // Its reader begins at the end of the stream, some time later: the first to arrive shows that it has.
    const knocking = setInterval(() => sender.serverSideEmit("step", -1), 20);
    await first;
    clearInterval(knocking);
    return {
      send: async (index) => sender.serverSideEmit("step", index),
      stream: "socket.io",
      receivers: "bench:receiver",
      async close() {
        await Promise.all(servers.map((server) => server.close()));
        for (const client of clients) client.disconnect();
      },
    };
  },
};

export const subjects: readonly Subject[] = [eventBus, pubSub, streamsAdapter];
