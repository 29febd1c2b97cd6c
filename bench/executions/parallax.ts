import { get } from "node:http";
import { join } from "node:path";
import {
  bundleScript,
  createTemporaryDirectory,
  freePort,
  type ProcessFixture,
  startProcess,
} from "@parallax/testing";
import { createPoster } from "./http.ts";
import type { Running, Subject } from "./subject.ts";

// The bundle of a benchmark lies in bench/.run-…
const root = join(import.meta.dirname, "../..");

export interface ParallaxOptions {
  /** Flags of Node for the control-plane node, such as `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
}

/** One `parallax start` on Redis and one process with the agents; submitted over HTTP, heard of over server-sent events. */
export function parallaxSubject(options: ParallaxOptions = {}): Subject {
  return {
    name: "Parallax",
    async start(redisUrl, agents) {
      const [node, agentScript, directory] = await Promise.all([
        bundleScript(join(root, "bench/executions/parallax-node.ts")),
        bundleScript(join(root, "bench/executions/parallax-agents.ts")),
        createTemporaryDirectory("bench"),
      ]);
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const env = {
        // The bundle lies elsewhere, and a node looks for its own package.
        NODE_PATH: join(root, "bench/node_modules"),
        PARALLAX_HA_ENABLED: "true",
        PARALLAX_REDIS_URL: redisUrl,
        PARALLAX_PORT: String(port),
        PARALLAX_NODE_ID: "node-0",
        PARALLAX_HA_LEASE_DURATION: "3s",
        PARALLAX_DRAIN_TIMEOUT: "1s",
      };
      const control = await startProcess({
        script: node.path,
        env,
        cwd: directory.path,
        ...(options.nodeArgs ? { nodeArgs: options.nodeArgs } : {}),
      });
      await control.answers(`${url}/health/ready`);
      const agentProcess = await startProcess({ script: agentScript.path, args: [url, String(agents)] });
      await agentProcess.line(/connected/);
      await putPattern(url, agents);
      const running = await connectTo(url, [control, agentProcess]);
      return {
        ...running,
        async stop() {
          await running.stop();
          await Promise.all([node.remove(), agentScript.remove(), directory.remove()]);
        },
      };
    },
  };
}

async function putPattern(url: string, agents: number): Promise<void> {
  const pattern = {
    capabilities: ["work"],
    agents: { min: agents, max: agents },
    aggregate: { strategy: "majority" },
  };
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${url}/api/patterns/bench`, {
    method: "PUT",
    headers,
    body: JSON.stringify(pattern),
  });
  if (!answer.ok) throw new Error(`the pattern was refused: ${await answer.text()}`);
}

/**
 * Listens to the ends of executions, as a client does: where the stream ends it goes on after the last event, and what a gap
 * may have hidden it looks at.
 */
function listen(
  url: string,
  onEnd: (id: string) => void,
  onGap: () => void,
): { readonly begun: Promise<void>; close(): void } {
  let lastId = "";
  let closed = false;
  let close: () => void = () => {};

  function read(lines: string): void {
    for (const [, id = ""] of lines.matchAll(/^data: .*"type":"execution-completed".*?"id":"(exec_\w+)"/gm))
      onEnd(id);
    if (/^event: gap$/m.test(lines)) onGap();
    const last = lines.lastIndexOf("\nid: ");
    if (last >= 0) lastId = lines.slice(last + 5, lines.indexOf("\n", last + 5)).trim();
  }

  function open(onBegin: () => void): void {
    const headers = lastId === "" ? {} : { "Last-Event-ID": lastId };
    const request = get(`${url}/api/events?topics=execution`, { headers }, (response) => {
      let text = "";
      response.setEncoding("latin1");
      response.on("data", (chunk: string) => {
        text += chunk;
        const end = text.lastIndexOf("\n\n") + 2;
        if (end < 2) return;
        read(text.slice(0, end));
        text = text.slice(end);
        onBegin();
      });
      response.once("close", () => {
        if (closed) return;
        console.log("  the stream of events ended; it goes on after the last one");
        open(onBegin);
      });
    });
    request.on("error", () => {});
    close = () => request.destroy();
  }

  const begun = new Promise<void>((resolve) => open(resolve));
  return {
    begun,
    close() {
      closed = true;
      close();
    },
  };
}

async function connectTo(url: string, processes: readonly ProcessFixture[]): Promise<Running> {
  const poster = createPoster(url, 64);
  /** Accepted, and not heard of as done. */
  const open = new Set<string>();
  const early = new Set<string>();
  let listener: (id: string) => void = () => {};

  function done(id: string): void {
    if (!open.delete(id)) early.add(id);
    listener(id);
  }

  async function statusOf(id: string): Promise<string> {
    const found = (await (await fetch(`${url}/api/executions/${id}`)).json()) as { status?: string };
    return found.status ?? "not there";
  }

  async function lookAgain(): Promise<void> {
    console.log(`  a gap in the events; looking at ${open.size} executions`);
    for (const id of [...open]) if ((await statusOf(id)) === "completed" && open.has(id)) done(id);
  }

  const events = listen(url, done, () => void lookAgain());
  await events.begun;
  const body = JSON.stringify({ pattern: "bench", input: { text: "what is to be done" } });
  return {
    pids: processes.map(({ pid }) => pid),
    lines: processes[0]?.lines ?? [],
    async submit() {
      const answer = await poster.post("/api/executions", body);
      const id = /"id":"(exec_\w+)"/.exec(answer.body)?.[1];
      if (answer.status !== 202 || id === undefined) throw new Error(`${answer.status} ${answer.body}`);
      if (!early.delete(id)) open.add(id);
      return id;
    },
    onDone(next) {
      listener = next;
    },
    async missing() {
      const counts: Record<string, number> = {};
      for (const id of open) {
        const status = await statusOf(id);
        counts[status] = (counts[status] ?? 0) + 1;
      }
      open.clear();
      return counts;
    },
    async stop() {
      events.close();
      poster.close();
      for (const one of [...processes].reverse()) await one.stop();
    },
  };
}
