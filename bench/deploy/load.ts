import { pause } from "../agents/options.ts";

/** A stream of executions and of questions about them, over HTTP, each request sent once: whatever fails, counts. */
export interface Load {
  /** What was accepted with 202. */
  readonly accepted: ReadonlySet<string>;
  readonly requests: number;
  /** What was answered with no status of 200 to 299, or not at all. */
  readonly failures: readonly string[];
  /** Ends the stream; resolves once each request has its answer. */
  stop(): Promise<void>;
  /** Asks for each execution, until all have ended or the time is over: which did not complete. */
  lost(withinMs: number): Promise<string[]>;
}

export interface LoadOptions {
  readonly url: string;
  readonly pattern: string;
  /** Executions a second; each tenth is asked for, too. */
  readonly rate: number;
}

export function startLoad({ url, pattern, rate }: LoadOptions): Load {
  const accepted = new Set<string>();
  const failures: string[] = [];
  let requests = 0;
  let going = true;

  async function request(path: string, init?: RequestInit): Promise<string> {
    requests += 1;
    const startedMs = performance.now();
    const note = (what: unknown): void => {
      const after = Math.round(performance.now() - startedMs);
      failures.push(`${init?.method ?? "GET"} ${path} after ${after} ms: ${String(what)}`);
    };
    try {
      const response = await fetch(url + path, init);
      const body = await response.text();
      if (!response.ok) note(`${response.status} ${body.slice(0, 200)}`);
      return response.ok ? body : "";
    } catch (error) {
      note(error instanceof Error && error.cause !== undefined ? error.cause : error);
      return "";
    }
  }

  async function submit(number: number): Promise<void> {
    const body = await request("/api/executions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pattern, input: number }),
    });
    if (body === "") return;
    const { id }: { id: string } = JSON.parse(body);
    accepted.add(id);
    if (number % 10 === 0) await request(`/api/executions/${id}`);
  }

  async function stream(): Promise<void> {
    const pending = new Set<Promise<void>>();
    const startedMs = performance.now();
    for (let number = 0; going; number += 1) {
      const work: Promise<void> = submit(number).finally(() => pending.delete(work));
      pending.add(work);
      await pause(Math.max(0, startedMs + ((number + 1) * 1000) / rate - performance.now()));
    }
    await Promise.all(pending);
  }

  const streamed = stream();
  return {
    accepted,
    failures,
    get requests() {
      return requests;
    },
    async stop() {
      going = false;
      await streamed;
    },
    async lost(withinMs) {
      const deadlineMs = performance.now() + withinMs;
      const open = new Map([...accepted].map((id) => [id, "not asked for yet"]));
      for (;;) {
        for (const id of open.keys()) {
          const { status }: { status: string } = JSON.parse(
            await fetch(`${url}/api/executions/${id}`).then((response) => response.text()),
          );
          if (status === "completed") open.delete(id);
          else open.set(id, status);
        }
        if (open.size === 0 || performance.now() > deadlineMs)
          return [...open].map(([id, status]) => `${id}: ${status}`);
        await pause(1000);
      }
    },
  };
}
