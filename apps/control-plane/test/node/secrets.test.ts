import { inspect } from "node:util";
import type { Logger } from "@parallax/core";
import { eventually, startRedis } from "@parallax/testing";
import { expect, it } from "vitest";
import { startNodes } from "../support/local-nodes.ts";
import { call, errorOf } from "../support/requests.ts";

it("[redis-standalone] a node tells its secrets to nobody: neither in its log nor in what it answers", async () => {
  const password = "hunter2-of-redis";
  const admin = "token-of-the-admin";
  const wrong = "token-of-nobody-at-all";
  const redis = await startRedis({ config: { requirepass: password } });
  const lines: string[] = [];
  const note = (message: string, fields?: object): void =>
    void lines.push(inspect([message, fields], { depth: 20, showHidden: true, maxStringLength: null }));
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const nodes = await startNodes(0, {
    "redis.url": `redis://:${password}@127.0.0.1:${redis.port}`,
    "server.auth.tokens": [{ role: "admin", token: admin }],
    "server.host": "127.0.0.1",
  });
  const { url } = await nodes.start("node-0", {}, logger);
  const texts: string[] = [];
  const ask = async (token: string, path: string, body?: unknown): Promise<number> => {
    const { status, text } = await call(`${url}${path}`, { token, ...(body === undefined ? {} : { body }) });
    texts.push(text);
    return status;
  };

  expect(await ask(admin, "/api/executions")).toBe(200);
  expect(await ask(admin, "/api/executions", { pattern: "none" })).toBe(404);
  errorOf(await call(`${url}/api/executions`, { token: wrong }), 401);
  expect(await ask(wrong, `/api/none?token=${admin}`)).toBe(401);
  for (const path of ["/health", "/metrics", "/ha/status", "/openapi.json", "/docs"]) await ask(admin, path);
  await redis.kill();
  await eventually(async () => (await ask(admin, "/api/executions", { pattern: "none" })) === 503, {
    timeoutMs: 30_000,
  });
  await ask(admin, "/health");
  await redis.restart();
  await eventually(async () => (await ask(admin, "/api/executions")) === 200, { timeoutMs: 30_000 });
  await nodes.stop();
  await redis.stop();

  expect(lines.length).toBeGreaterThan(3);
  for (const secret of [password, admin, wrong]) {
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  }
});
