import type { Redis } from "ioredis";
import { createRequest } from "./request.ts";

/** What one caller waits for. */
export interface ReplicaWait {
  /** The server that acknowledged the write, and the socket on which it did. */
  readonly node: Redis;
  readonly socket: object;
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** Waits until replicas have what was written. */
export interface ReplicaWaits {
  /** How many replicas acknowledged in time; 0 when the connection was lost before they could. Never rejects. */
  acknowledged(wait: ReplicaWait): Promise<number>;
}

/** Those who wait for the WAIT that is on its way, to send the next one. */
interface Group {
  timeoutMs: number;
  readonly answer: Promise<number>;
  start(): void;
}

/**
 * `WAIT` holds up everything behind it on its connection, and covers everything before it. So there is one at a time, and
 * whoever comes meanwhile shares the next.
 */
export function createReplicaWaits(): ReplicaWaits {
  /** By socket and number of replicas, while a WAIT is on its way: the group that is next, if anybody has asked. */
  const lines = new WeakMap<object, Map<number, Group | undefined>>();

  function lineOf(socket: object): Map<number, Group | undefined> {
    const line = lines.get(socket) ?? new Map<number, Group | undefined>();
    lines.set(socket, line);
    return line;
  }

  function run(wait: ReplicaWait): Promise<number> {
    const line = lineOf(wait.socket);
    line.set(wait.replicas, undefined);
    return sendWait(wait).finally(() => {
      const next = line.get(wait.replicas);
      line.delete(wait.replicas);
      next?.start();
    });
  }

  function createGroup(wait: ReplicaWait): Group {
    let resolve: (count: Promise<number>) => void = () => {};
    const answer = new Promise<number>((settle) => {
      resolve = settle;
    });
    const group: Group = {
      timeoutMs: wait.timeoutMs,
      answer,
      start: () => resolve(run({ ...wait, timeoutMs: group.timeoutMs })),
    };
    return group;
  }

  return {
    acknowledged(wait) {
      const line = lineOf(wait.socket);
      if (!line.has(wait.replicas)) return run(wait);
      const group = line.get(wait.replicas) ?? createGroup(wait);
      group.timeoutMs = Math.max(group.timeoutMs, wait.timeoutMs);
      line.set(wait.replicas, group);
      return group.answer;
    },
  };
}

async function sendWait({ node, socket, replicas, timeoutMs }: ReplicaWait): Promise<number> {
  const request = createRequest("wait", [replicas, timeoutMs]);
  try {
    const count = await request.sendTo(node);
    // On another connection WAIT does not know of our write, and would count replicas that lack it.
    return request.socket() === socket ? Number(count) : 0;
  } catch {
    return 0;
  }
}
