import { setTimeout as sleep } from "node:timers/promises";
import { ParallaxAgent } from "@parallax/agent";
import { createClient } from "@parallax/client";
import { Redis } from "ioredis";

/** Agents that shout: each answers its task in upper case after a moment. */
export async function startAgents(
  count: number,
  urls: readonly string[],
): Promise<{ stop(): Promise<void> }> {
  const agents = Array.from({ length: count }, (_, index) => {
    const agent = new ParallaxAgent({
      name: `shouter-${index}`,
      capabilities: ["shouting"],
      controlPlaneUrl: [...urls],
      maxConcurrentTasks: 4,
      reconnect: {
        enabled: true,
        maxRetries: Number.POSITIVE_INFINITY,
        backoff: { initial: 100, max: 1000, multiplier: 2 },
      },
    });
    agent.onTask("shouting", async (task) => {
      await sleep(20);
      return { result: String(task.input).toUpperCase(), confidence: 1 };
    });
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
export function clientOf(urls: readonly string[]): ReturnType<typeof createClient> {
  return createClient({ url: [...urls] });
}
