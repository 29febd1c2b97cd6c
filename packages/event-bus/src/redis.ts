import { randomId, systemRandom, type Unsubscribe } from "@parallax/core";
import {
  type ChannelMessage,
  type ConnectionsOptions,
  createKeySpace,
  defaultMaxLogAgeMs,
  defaultMaxLogEntries,
  type EventLogPlace,
  eventLogKeys,
  type KeySpace,
  openConnections,
  type RedisSource,
} from "@parallax/redis";
import { parseBatch, parseMessage, parsePage, parsePosition } from "./envelope.ts";
import { checkLogBounds } from "./events.ts";
import { appendScript, positionScript, readScript } from "./redis-scripts.ts";
import type { LogPosition, TopicLog } from "./store.ts";

/** Options of {@link redisTopicLog}. */
export interface RedisTopicLogOptions extends ConnectionsOptions {
  /** Names of keys and channels, the same on every node. Default: `createKeySpace()`, on Cluster with 16 partitions. */
  readonly keySpace?: KeySpace;
  /** Topics whose log lies beside lease and members, so that their scripts can append to it. Default `["cluster"]`. */
  readonly coordinationTopics?: readonly string[];
  /** How many entries a log keeps at least. Default 10 000. */
  readonly maxEntries?: number;
  /** How long a log keeps an entry, in milliseconds; looked at when something is appended. Default one day. */
  readonly maxAgeMs?: number;
}

/**
 * Logs in Redis streams, beside the records whose changes they tell, and one channel for each topic.
 *
 * Only `data` and `subscriber` connections are used. What anyone else publishes on the channels is not believed: it goes to
 * `onError` as `bad_envelope`.
 *
 * @throws ParallaxError `invalid_options` for bounds that let a log keep nothing.
 */
export function redisTopicLog(source: RedisSource, options: RedisTopicLogOptions = {}): TopicLog {
  const { maxEntries = defaultMaxLogEntries, maxAgeMs = defaultMaxLogAgeMs } = options;
  checkLogBounds(maxEntries, maxAgeMs);
  const connections = openConnections(source, options);
  const { keySpace = createKeySpace({ cluster: connections.mode === "cluster" }) } = options;
  const { coordinationTopics = ["cluster"], random = systemRandom } = options;
  const { onError = () => {} } = options;
  const open = new Set<Unsubscribe>();

  const partitions = (topic: string): number =>
    coordinationTopics.includes(topic) ? 1 : keySpace.partitions;
  const place = (topic: string, partition: number): EventLogPlace =>
    coordinationTopics.includes(topic) ? "coordination" : partition;
  const keysOf = (topic: string, partition: number): ReturnType<typeof eventLogKeys> =>
    eventLogKeys(keySpace, topic, place(topic, partition));
  /** Taken only where there is no log yet. */
  const epoch = (): string => randomId("", random);

  async function positionOf(topic: string, partition: number): Promise<LogPosition> {
    const { meta, log } = keysOf(topic, partition);
    const { reply } = await connections.data.run(positionScript, [meta, log], [epoch()]);
    return parsePosition(reply);
  }

  function listenOn(channel: string, onPayload: (payload: string) => void, onReady: () => void): Unsubscribe {
    const take = ({ payload }: ChannelMessage): void => {
      try {
        onPayload(payload);
      } catch (error) {
        onError(error);
      }
    };
    const unlisten = connections.subscriber.listen([channel], take, onReady);
    const stop = (): void => {
      if (open.delete(stop)) unlisten();
    };
    open.add(stop);
    return stop;
  }

  return {
    partitions,
    partitionOf: (topic, key) => (coordinationTopics.includes(topic) ? 0 : keySpace.partitionOf(key)),
    async append(topic, partition, events) {
      const { meta, log, channel } = keysOf(topic, partition);
      // One argument costs far less than two for each event.
      let lines = "";
      for (const { tag, json } of events) lines += `${tag} ${oneLine(json)}\n`;
      const args = [channel, topic, partition, epoch(), maxEntries, maxAgeMs, lines];
      await connections.data.run(appendScript, [meta, log], args);
    },
    position(topic) {
      return Promise.all(
        Array.from({ length: partitions(topic) }, (_, partition) => positionOf(topic, partition)),
      );
    },
    async read(topic, partition, after, limit) {
      const { meta, log } = keysOf(topic, partition);
      const from = after === "start" ? ["", 0] : [after.epoch, after.sequence];
      const { reply } = await connections.data.run(readScript, [meta, log], [epoch(), ...from, limit]);
      return parsePage(reply);
    },
    listen(topic, onBatch, onReady) {
      const { channel } = keysOf(topic, 0);
      return listenOn(channel, (payload) => onBatch(parseBatch(payload)), onReady);
    },
    recycle(reason) {
      // All topics share the connection: whichever finds it dead first has it opened anew.
      if (connections.subscriber.state === "ready") connections.subscriber.recycle(reason);
    },
    async send(nodeId, message) {
      await connections.data.command("PUBLISH", [nodeChannel(keySpace, nodeId), JSON.stringify(message)]);
    },
    receive: (nodeId, onMessage) =>
      listenOn(
        nodeChannel(keySpace, nodeId),
        (payload) => onMessage(parseMessage(payload)),
        () => {},
      ),
    async [Symbol.asyncDispose]() {
      for (const stop of [...open]) stop();
      await connections.close();
    },
  };
}

function nodeChannel(keySpace: KeySpace, nodeId: string): string {
  return keySpace.channel(`node:${nodeId}`);
}

/** In JSON a line break is nothing but a space. */
function oneLine(json: string): string {
  return json.includes("\n") ? json.replaceAll("\n", " ") : json;
}
