import { healthSchema } from "@parallax/protocol";
import { eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStream } from "../support/event-stream.ts";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { type Answer, call, errorOf } from "../support/requests.ts";

/** What a node says of itself: the status of readiness, and the state of its life. */
interface Said {
  readonly ready: number;
  readonly state: unknown;
  readonly status: unknown;
}

const patience = { timeoutMs: 30_000 };

describe("[redis-standalone] a node whose Redis goes away and comes back", () => {
  let redis: RedisFixture;
  let nodes: LocalNodes;
  let url: string;
  let release: () => void;

  beforeEach(async () => {
    redis = await startRedis({ persistent: true, config: { maxmemory: "64mb" } });
    nodes = await startNodes(2, {
      "redis.url": redis.url,
      "redis.outageGrace": "3s",
      "highAvailability.enabled": true,
    });
    url = nodes.node(0).url;
    await nodes.client(0).patterns.put(workPattern("hold", { timeout: "60s" }));
    const held = new Promise<void>((resolve) => (release = resolve));
    await nodes.agent({
      at: 0,
      slots: 10,
      async handler({ input }) {
        await held;
        return { result: input };
      },
    });
  });
  afterEach(async () => {
    release();
    redis.resume();
    await nodes.stop();
    await redis.stop();
  });

  async function said(index = 0): Promise<Said> {
    const { status, body } = await call(`${nodes.node(index).url}/health/ready`);
    const { state, status: how } = healthSchema.parse(body) as { state?: unknown; status: unknown };
    return { ready: status, state, status: how };
  }
  const submit = (input: unknown): Promise<Answer> =>
    call(`${url}/api/executions`, { body: { pattern: "hold", input } });

  it.each([
    ["hangs", () => redis.pause(), async () => redis.resume()],
    ["is killed and started again", () => void redis.kill(), () => redis.restart()],
  ])("loses nothing when it %s", async (_, take, give) => {
    const submitted = await submit("before");
    expect(submitted.status).toBe(202);
    const { id } = submitted.body as { id: string };
    await eventually(async () => (await nodes.client(0).executions.get(id)).status === "running", patience);
    const [agent] = (await nodes.client(0).agents.list()).agents;
    const stream = await openStream(`${url}/api/events?topics=execution`);
    await eventually(() => stream.lastId() !== "", patience);
    await eventually(async () => (await said()).status === "pass", patience);
    expect(await said()).toMatchObject({ ready: 200, state: "ready" });

    take();
    // Ready with a warning for a while, for all nodes lose the same Redis; then not ready, and alive all along.
    await eventually(async () => (await said()).state === "degraded", patience);
    expect((await said()).ready).toBe(200);
    await eventually(async () => (await said()).ready === 503, patience);
    expect((await call(`${url}/health/live`)).status).toBe(200);
    expect((await call(`${url}/ha/status`)).status, "the last view is better than none").toBe(200);

    const refused = await submit("meanwhile");
    expect(["redis_unavailable", "not_ready"]).toContain(errorOf(refused, 503).code);
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    const read = await call(`${url}/api/executions/${id}`);
    expect(errorOf(read, 503).code).toBe("redis_unavailable");
    release();

    await give();
    await eventually(async () => (await said()).ready === 200, patience);
    await eventually(async () => (await said(1)).state === "ready", patience);
    await eventually(async () => (await nodes.client(0).executions.get(id)).status === "completed", patience);
    expect(await nodes.client(1).executions.get(id)).toMatchObject({ result: "before" });
    const [after] = (await nodes.client(0).agents.list()).agents;
    expect(after, "the socket stayed").toMatchObject({ id: agent?.id, connectedAt: agent?.connectedAt });
    await eventually(
      () =>
        stream.events.some(
          ({ kind, ...each }) => kind === "gap" || JSON.stringify(each).includes("execution-completed"),
        ),
      patience,
    );
    stream.close();
    const again = await nodes.client(0).executions.run({ pattern: "hold", input: "after" });
    expect(again).toMatchObject({ status: "completed", result: "after" });
  });

  it("refuses new executions while Redis is nearly full, and nothing else", async () => {
    release();
    const { id } = await nodes.client(0).executions.run({ pattern: "hold", input: "kept" });
    const used = Number(/used_memory:(\d+)/.exec(String(await redis.send("INFO", "memory")))?.[1]);
    await redis.send("CONFIG", "SET", "maxmemory", Math.round(used * 1.05));
    const refused = await eventually(async () => {
      const answer = await submit("more");
      return answer.status === 503 && answer;
    }, patience);
    expect(errorOf(refused, 503)).toMatchObject({ code: "store_full" });
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect((await call(`${url}/api/executions/${id}`)).body).toMatchObject({ result: "kept" });
    expect((await said()).ready).toBe(200);
    await redis.send("CONFIG", "SET", "maxmemory", "64mb");
    await eventually(async () => (await submit("more")).status === 202, patience);
  });

  it("tells the key of an execution's record, for redis-cli", async () => {
    const { id } = (await submit("x")).body as { id: string };
    const { redisKey } = await nodes.client(0).executions.get(id);
    expect(redisKey).toBe(`parallax:execution:${id}`);
    expect(await redis.send("HGET", String(redisKey), "pattern")).toBe("hold");
  });
});
