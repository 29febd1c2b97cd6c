import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { noopLogger, ParallaxError } from "@parallax/core";
import { createTemporaryDirectory, eventually, freePort } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Backends, createMemorySpace, memoryBackends } from "../../src/backends.ts";
import { loadConfig } from "../../src/config/load.ts";
import { runNode } from "../../src/node/run-node.ts";
import {
  type LocalNodes,
  type Settings,
  settingsOf,
  startNodes,
  workPattern,
} from "../support/local-nodes.ts";
import { call, errorOf } from "../support/requests.ts";

const short: Settings = {
  "server.port": 0,
  "server.drainTimeout": "500ms",
  "highAvailability.memberHealth.checkInterval": "300ms",
  "highAvailability.memberHealth.timeout": "200ms",
  "patterns.directory": "./no-such-directory",
};

/** Runs a node that need not become ready. */
function run(backends: Backends, signal: AbortSignal, settings: Settings = {}): Promise<void> {
  const { config } = loadConfig({ environment: {}, flags: settingsOf({ ...short, ...settings }) });
  return runNode({ config, backends, logger: noopLogger }, signal);
}

/** A store of members that does not answer. */
function withoutMembership(): Backends {
  const backends = memoryBackends(createMemorySpace());
  const refuse = async (): Promise<never> => {
    throw new ParallaxError("timeout", "asking the store: it does not answer");
  };
  return { ...backends, membership: { ...backends.membership, join: refuse, beat: refuse, read: refuse } };
}

describe("the life of a node", () => {
  it("ends when it is told to, though it could never join", async () => {
    const controller = new AbortController();
    const port = await freePort();
    const ended = run(withoutMembership(), controller.signal, { "server.port": port });
    await eventually(async () => (await call(`http://127.0.0.1:${port}/health/live`)).status === 200);
    controller.abort();
    await ended;
  });

  it("is alive and not ready while it has not joined, and takes neither executions nor agents", async () => {
    const controller = new AbortController();
    const port = await freePort();
    const ended = run(withoutMembership(), controller.signal, { "server.port": port });
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => (await call(`${url}/health/live`)).status === 200);
    const ready = await call(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    const submitted = await call(`${url}/api/executions`, { body: { pattern: "one" } });
    expect(errorOf(submitted, 503).code).toBe("not_ready");
    expect(submitted.headers.get("Retry-After")).toMatch(/^\d+$/);
    controller.abort();
    await ended;
  });

  it("ends with an error that names the port which another process has", async () => {
    const nodes = await startNodes(1);
    const { port } = new URL(nodes.node(0).url);
    const second = run(memoryBackends(createMemorySpace()), new AbortController().signal, {
      "server.port": port,
    });
    await expect(second).rejects.toMatchObject({
      code: "port_in_use",
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*server\\.port or PARALLAX_PORT$`)),
    });
    expect((await call(`${nodes.node(0).url}/health/ready`)).status, "the first goes on").toBe(200);
    await nodes.stop();
  });

  it("takes up its patterns from files, and ends naming every one that is wrong", async () => {
    const directory = await createTemporaryDirectory("patterns");
    const good = join(directory.path, "good");
    await mkdir(good);
    await writeFile(join(good, "a.yaml"), "name: a\ncapabilities: [work]\naggregate: { strategy: first }\n");
    await writeFile(join(good, "note.txt"), "no pattern");
    const nodes = await startNodes(1, { "patterns.directory": good });
    expect((await nodes.client(0).patterns.list()).map(({ name }) => name)).toEqual(["a"]);
    await nodes.stop();
    await writeFile(join(good, "b.yaml"), "name: B!\n");
    await writeFile(join(good, "c.yml"), "]");
    const space = memoryBackends(createMemorySpace());
    await expect(
      run(space, new AbortController().signal, { "patterns.directory": good }),
    ).rejects.toMatchObject({
      code: "invalid_pattern",
      message: expect.stringMatching(/b\.yaml: name: [\s\S]*c\.yml: /),
    });
    await directory.remove();
  });

  it("keeps its state for the next node on the same space", async () => {
    const nodes = await startNodes(1);
    await nodes.client(0).patterns.put(workPattern("one", { timeout: "20s" }));
    const { id } = await nodes.client(0).executions.submit({ pattern: "one", input: "kept" });
    await nodes.node(0).stop();
    const next = await nodes.start("node-0");
    await nodes.agent({ at: 1, handler: async ({ input }) => ({ result: input }) });
    await eventually(async () => {
      const { body } = await call(`${next.url}/api/executions/${id}`);
      return Object(body).result === "kept";
    });
    await nodes.stop();
  });

  describe("at its end", () => {
    let nodes: LocalNodes;
    beforeEach(async () => {
      nodes = await startNodes(1);
    });
    afterEach(() => nodes.stop());

    it("does not wait long for a client that says nothing", async () => {
      const socket = connect(Number(new URL(nodes.node(0).url).port), "127.0.0.1");
      await once(socket, "connect");
      const startedMs = performance.now();
      await nodes.node(0).stop();
      expect(performance.now() - startedMs).toBeLessThan(2500);
      socket.destroy();
    });

    it("answers a wait with the execution as it is", async () => {
      await nodes.client(0).patterns.put(workPattern("one", { timeout: "20s" }));
      const waiting = call(`${nodes.node(0).url}/api/executions?wait=20s`, { body: { pattern: "one" } });
      await eventually(async () => (await nodes.client(0).executions.list()).executions.length === 1);
      const stopped = nodes.node(0).stop();
      const answer = await waiting;
      expect(answer.status).toBe(202);
      expect(answer.body).toMatchObject({ status: "pending" });
      await stopped;
    });
  });
});
