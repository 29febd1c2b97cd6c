import type { TaskHandler } from "@parallax/agent";
import { eventually } from "@parallax/testing";
import { expect } from "vitest";
import { clientOf, untilEnded, watchFinals } from "./load.ts";

/** What was promised, and what was done about it: at the end one has to fit the other. */
export interface Ledger {
  /** For agents. Each answer names its task and the run of the handler that made it. Of the pattern `held` it waits. */
  readonly handler: TaskHandler;
  /** Handlers of the pattern `held` wait from now on, those of before go on. Answers with what lets them go on. */
  hold(): () => void;
  /** Submits to one node; all of them have to be accepted. */
  submit(url: string, pattern: string, count: number): Promise<readonly string[]>;
  /** Waits until agents work on so many tasks of these executions. */
  begun(ids: readonly string[], tasks: number): Promise<void>;
  /**
   * Waits until all that was accepted has ended, by any of the nodes, and compares: each has the answers of all its tasks,
   * each once, of a handler that worked on it, and of different agents; each has ended once.
   */
  settle(urls: readonly string[]): Promise<void>;
  close(): void;
}

interface Entry {
  readonly task: string;
  readonly run: number;
}

export async function openLedger(redisUrl: string): Promise<Ledger> {
  const { counts, stop } = await watchFinals(redisUrl);
  const accepted = new Set<string>();
  const runs: string[] = [];
  let gate: Promise<void> = Promise.resolve();

  async function settled(id: string, urls: readonly string[]): Promise<void> {
    const execution = await untilEnded(clientOf(urls), id, 60_000);
    expect(execution, id).toMatchObject({ status: "completed" });
    const { tasks } = execution;
    const answers = (execution.result as Entry[]).toSorted((a, b) => (a.task < b.task ? -1 : 1));
    expect(
      answers.map(({ task }) => task),
      `each task of ${id} counts once`,
    ).toEqual(tasks.map((task) => task.id));
    expect(
      answers.map(({ run }) => runs[run]),
      "who was asked",
    ).toEqual(answers.map(({ task }) => task));
    expect(new Set(tasks.map(({ agentId }) => agentId)).size, `agents of ${id}`).toBe(tasks.length);
    await eventually(() => counts.has(id), { message: `the final event of ${id}` });
  }

  return {
    async handler(task) {
      const run = runs.push(task.id) - 1;
      if (task.pattern === "held") await gate;
      return { result: { task: task.id, run } };
    },
    hold() {
      let open: () => void = () => {};
      gate = new Promise((resolve) => (open = resolve));
      return () => open();
    },
    async submit(url, pattern, count) {
      const { executions } = clientOf([url]);
      const submitting = Array.from({ length: count }, (_, input) => executions.submit({ pattern, input }));
      const ids = (await Promise.all(submitting)).map(({ id }) => id);
      for (const id of ids) accepted.add(id);
      return ids;
    },
    async begun(ids, tasks) {
      const isOurs = (task: string): boolean => ids.some((id) => task.startsWith(id));
      await eventually(() => runs.filter(isOurs).length >= tasks, { message: `${tasks} tasks to begin` });
    },
    async settle(urls) {
      const ids = [...accepted];
      accepted.clear();
      await Promise.all(ids.map((id) => settled(id, urls)));
      const others = ids.filter((id) => counts.get(id) !== 1);
      expect(others, "executions without exactly one end").toEqual([]);
    },
    close: stop,
  };
}

/** Short times for nodes that die; agents have all the time of a busy machine to come back. */
export const deathConfig = `
highAvailability:
  enabled: true
  leaderElection: { leaseDuration: 3s }
  memberHealth: { checkInterval: 1s, timeout: 600ms }
server: { drainTimeout: 6s }
agents: { reconnectGrace: 60s }
log: { level: debug }
`;

const define = (name: string, capability: string, agents: number, aggregate: string): [string, string] => [
  `${name}.yaml`,
  `{ name: ${name}, capabilities: [${capability}], agents: { min: ${agents}, max: ${agents} }, timeout: 3m, aggregate: ${aggregate} }`,
];

/** Patterns whose result is all answers, so that it can be seen what was counted. */
export const deathPatterns: Readonly<Record<string, string>> = Object.fromEntries([
  define("held", "working", 3, "{ strategy: all }"),
  define("coming", "coming", 1, "{ strategy: all }"),
  define("broken", "working", 3, "{ strategy: mean }"),
]);

/** Makes all answers the result after a while: long enough to be seen at it. */
export const slowFunction = `
export default async (answers) => {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return answers.map(({ value }) => value);
};
`;

/** A pattern that aggregates with `slow.js`. */
export const slowPattern = {
  name: "slow",
  capabilities: ["working"],
  agents: { min: 3, max: 3 },
  timeout: "3m",
  retries: 0,
  aggregate: { strategy: "function", module: "slow.js", timeout: "20s" },
} as const;
