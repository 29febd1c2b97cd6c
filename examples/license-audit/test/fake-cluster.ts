import type { Submission } from "@parallax/client";
import { ParallaxError } from "@parallax/core";
import type { Agent, Execution, Pattern } from "@parallax/protocol";
import type { AuditClient } from "../src/audit.ts";
import type { Classification } from "../src/classification.ts";
import { methods } from "../src/methods/catalogue.ts";
import { AGENT_NAMES, CAPABILITY, PATTERN } from "../src/pattern.ts";
import { majority } from "../src/vote.ts";

/** A cluster in one object: runs the real methods at once, and remembers what was asked of it. */
export interface FakeCluster extends AuditClient {
  readonly submissions: readonly Submission[];
  /** The most executions that were under way at once. */
  readonly mostUnderWay: number;
}

export interface FakeClusterOptions {
  /** Names of the connected agents. Default: all three. */
  readonly connected?: () => readonly string[];
  /** Names of agents whose sessions wait to be resumed. Default: none. */
  readonly disconnected?: readonly string[];
  /** What an execution becomes instead of completed. */
  readonly spoil?: (submission: Submission) => Partial<Execution> | undefined;
  readonly hasPattern?: boolean;
}

const now = "2026-01-01T00:00:00.000Z";

export function createFakeCluster(options: FakeClusterOptions = {}): FakeCluster {
  const {
    connected = () => AGENT_NAMES,
    disconnected = [],
    spoil = () => undefined,
    hasPattern = true,
  } = options;
  const classifiers = new Map(methods.map(({ name, create }) => [name, create()]));
  const submissions: Submission[] = [];
  let underWay = 0;
  let mostUnderWay = 0;

  const execute = (submission: Submission): Execution => {
    const content = contentOf(submission.input);
    const answers = [...classifiers].map(([name, classify]) => ({ name, ...classify(content) }));
    const id = `exec_${submissions.length}`;
    return {
      id,
      status: "completed",
      pattern: submission.pattern,
      input: submission.input,
      result: majority(answers),
      nodeId: "node-0",
      attempts: answers.length,
      tasks: answers.map((answer, index) => taskOf(id, index, answer)),
      createdAt: now,
      ...spoil(submission),
    };
  };

  return {
    submissions,
    get mostUnderWay() {
      return mostUnderWay;
    },
    executions: {
      async run(submission) {
        submissions.push(submission);
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        await Promise.resolve();
        underWay -= 1;
        return execute(submission);
      },
    },
    agents: {
      async *all() {
        yield* connected().map(agentOf);
        for (const name of disconnected) yield { ...agentOf(name), status: "disconnected" };
      },
      async get(id) {
        return agentOf(id.replace("agent_", ""));
      },
    },
    patterns: {
      async get(name): Promise<Pattern> {
        if (!hasPattern)
          throw new ParallaxError("pattern_not_found", `reading pattern ${name}: there is none`);
        return {
          name: PATTERN,
          capabilities: [CAPABILITY],
          agents: { min: 3, max: 3 },
          retries: 2,
          aggregate: { strategy: "majority" },
          hash: "0",
          updatedAt: now,
        };
      },
    },
  };
}

function taskOf(
  executionId: string,
  index: number,
  { name, result, confidence }: Classification & { readonly name: string },
): Execution["tasks"][number] {
  return {
    id: `${executionId}:${index}`,
    status: "completed",
    attempt: 1,
    agentId: `agent_${name}`,
    result,
    confidence,
  };
}

function agentOf(name: string): Agent {
  return {
    id: `agent_${name}`,
    name,
    status: "connected",
    nodeId: "node-0",
    capabilities: [CAPABILITY],
    maxConcurrentTasks: 1,
    tasks: [],
    metadata: {},
    connectedAt: now,
  };
}

function contentOf(input: unknown): string {
  if (
    typeof input === "object" &&
    input !== null &&
    "content" in input &&
    typeof input.content === "string"
  ) {
    return input.content;
  }
  throw new Error("submitted without content");
}
