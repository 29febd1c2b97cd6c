import { createConnections, type KeySpace, type RedisOptions } from "@parallax/redis";
import { eventually } from "@parallax/testing";
import {
  createMembership,
  type Membership,
  type MembershipEvent,
  type MembershipOptions,
} from "../../src/index.ts";
import { redisMembershipStore } from "../../src/redis.ts";

/** A node in real time, on connections of its own. */
export interface LiveNode {
  readonly membership: Membership;
  readonly events: MembershipEvent[];
  stop(): Promise<void>;
}

export interface LiveOptions extends Partial<MembershipOptions> {
  readonly where: RedisOptions;
  readonly keySpace: KeySpace;
}

/** Starts nodes, and waits until all know all. */
export async function startNodes(count: number, options: LiveOptions): Promise<LiveNode[]> {
  const { where, keySpace, ...rest } = options;
  const nodes = Array.from({ length: count }, (_, index): LiveNode => {
    const connections = createConnections(where);
    const store = redisMembershipStore(connections, { keySpace });
    const controller = new AbortController();
    const events: MembershipEvent[] = [];
    const nodeId = `node-${index}`;
    const onError = () => {};
    const membership = createMembership({ store, nodeId, address: `${nodeId}:1`, onError, ...rest });
    membership.subscribe((event) => events.push(event));
    const running = membership.run({ signal: controller.signal });
    return {
      membership,
      events,
      async stop() {
        controller.abort();
        await running;
        await store[Symbol.asyncDispose]();
        await connections.close();
      },
    };
  });
  await Promise.all(nodes.map(({ membership }) => membership.joined()));
  await eventually(() => nodes.every(({ membership }) => membership.view()?.members.length === count));
  return nodes;
}

export async function stopAll(nodes: readonly LiveNode[]): Promise<void> {
  await Promise.all(nodes.map(({ stop }) => stop()));
}

/** Every kind of event that any of them was told. */
export function types(nodes: readonly LiveNode[]): string[] {
  return [...new Set(nodes.flatMap(({ events }) => events.map(({ type }) => type)))];
}

/** Waits until each of them was told this. */
export async function allTold(nodes: readonly LiveNode[], type: MembershipEvent["type"]): Promise<void> {
  await eventually(() => nodes.every(({ events }) => events.some((event) => event.type === type)), {
    timeoutMs: 20_000,
    message: `all to be told ${type}`,
  });
}
