import { setTimeout as sleep } from "node:timers/promises";
import { ParallaxAgent, type TaskHandler } from "@parallax/agent";
import { createClient, type ParallaxClient } from "@parallax/client";
import type { Execution } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { Redis } from "ioredis";

/** Answers its task in upper case after a moment. */
const shout: TaskHandler = async ({ input }) => {
  await sleep(20);
  return { result: String(input).toUpperCase(), confidence: 1 };
};

/** Agents that may go to any of the nodes, and never give up. By default they shout. */
export async function startAgents(
  count: number,
  urls: readonly string[],
  options: { readonly capability?: string; readonly slots?: number; readonly handler?: TaskHandler } = {},
): Promise<{ stop(): Promise<void> }> {
  const { capability = "shouting", slots = 4, handler = shout } = options;
  const agents = Array.from({ length: count }, (_, index) => {
    const agent = new ParallaxAgent({
      name: `${capability}-${index}`,
      capabilities: [capability],
      controlPlaneUrl: [...urls],
      maxConcurrentTasks: slots,
      reconnect: {
        enabled: true,
        maxRetries: Number.POSITIVE_INFINITY,
        backoff: { initial: 100, max: 1000, multiplier: 2 },
      },
    });
    agent.onTask(capability, handler);
    return agent;
  });
  await Promise.all(agents.map((agent) => agent.start()));
  return { stop: async () => void (await Promise.all(agents.map((agent) => agent.stop()))) };
}

/** A steady stream of executions, and what was promised about each of them. */
export interface Stream {
  /** What was accepted with 202: the id, and the result that it must come to. */
  readonly accepted: ReadonlyMap<string, string>;
  /** Requests to nodes that were up all the time and failed. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Submits every `everyMs` to the nodes in turn. `isUp` says whether a failed request to a node counts. */
export function startStream(options: {
  readonly urls: () => readonly string[];
  readonly everyMs: number;
  readonly isUp: (url: string) => boolean;
}): Stream {
  const { urls, everyMs, isUp } = options;
  const accepted = new Map<string, string>();
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  const controller = new AbortController();

  async function submit(url: string, number: number): Promise<void> {
    const input = `text ${number}`;
    try {
      const response = await fetch(`${url}/api/executions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ pattern: "shout", input }),
      });
      const body = (await response.json()) as { id: string };
      if (response.status === 202) accepted.set(body.id, input.toUpperCase());
      else if (isUp(url)) failures.push(`${url}: ${response.status} ${JSON.stringify(body)}`);
    } catch (error) {
      if (isUp(url)) failures.push(`${url}: ${String(error)}`);
    }
  }

  async function run(): Promise<void> {
    for (let number = 0; !controller.signal.aborted; number += 1) {
      const targets = urls();
      const work = submit(targets[number % targets.length] ?? "", number);
      pending.add(work);
      void work.finally(() => pending.delete(work));
      await sleep(everyMs);
    }
  }

  const running = run();
  return {
    accepted,
    failures,
    async stop() {
      controller.abort();
      await running;
      await Promise.all(pending);
    },
  };
}

/** What a load balancer sends to: the nodes that say that they are ready, looked at five times a second. */
export function startBalancer(nodes: () => readonly string[]): { urls(): readonly string[]; stop(): void } {
  let ready: readonly string[] = nodes();
  const timer = setInterval(() => {
    const looks = nodes().map((url) =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok && url,
        () => false as const,
      ),
    );
    void Promise.all(looks).then((found) => {
      ready = found.filter((url) => url !== false);
    });
  }, 200);
  return { urls: () => ready, stop: () => clearInterval(timer) };
}

/** Counts the final events of each execution on the channel that operators look at. */
export async function watchFinals(
  redisUrl: string,
): Promise<{ counts: ReadonlyMap<string, number>; stop(): void }> {
  const counts = new Map<string, number>();
  const redis = new Redis(redisUrl);
  redis.on("error", () => {});
  await redis.subscribe("parallax:events:execution");
  redis.on("message", (_channel, payload) => {
    const { events } = JSON.parse(payload) as { events: { event: { type: string; id: string } }[] };
    for (const { event } of events) {
      if (!/^execution-(completed|failed|cancelled)$/.test(event.type)) continue;
      counts.set(event.id, (counts.get(event.id) ?? 0) + 1);
    }
  });
  return { counts, stop: () => redis.disconnect() };
}

/** The client of any node of the cluster. */
export function clientOf(urls: readonly string[]): ParallaxClient {
  return createClient({ url: [...urls] });
}

/** An execution as it is once it has ended. */
export function untilEnded(client: ParallaxClient, id: string, timeoutMs = 25_000): Promise<Execution> {
  return eventually(
    async () => {
      const found = await client.executions.get(id);
      return found.finishedAt !== undefined && found;
    },
    { message: `execution ${id} to end`, timeoutMs },
  );
}
