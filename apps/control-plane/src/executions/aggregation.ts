import { ParallaxError, parseDuration } from "@parallax/core";
import type { Aggregation, PatternDefinition } from "@parallax/protocol";

/** One agent's answer to its task. */
export interface Answer {
  /** The agent's name, by which `weighted` knows it. */
  readonly agentName: string;
  readonly value: unknown;
  /** 0 to 1, where the agent said how sure it is. */
  readonly confidence: number | undefined;
}

/**
 * Makes one result of the answers, which come in the order of their tasks. Pure: the same answers give the same result on
 * every node, so that an adopter may do it again.
 * @throws ParallaxError `no_answers`, `no_quorum`, `not_a_number`, `unsupported_strategy`
 */
export function aggregate(answers: readonly Answer[], aggregation: Aggregation): unknown {
  if (answers.length === 0)
    throw new ParallaxError("no_answers", "aggregating without any answer; raise agents.min");
  switch (aggregation.strategy) {
    case "majority":
      return vote(answers, () => 1).value;
    case "weighted": {
      const weights = aggregation.weights ?? {};
      return vote(answers, ({ agentName, confidence }) => (weights[agentName] ?? 1) * (confidence ?? 1))
        .value;
    }
    case "quorum":
      return quorum(answers, aggregation.quorum);
    case "first":
      return answers[0]?.value;
    case "all":
      return answers.map(({ value }) => value);
    case "mean":
      return mean(numbers(answers, aggregation.field));
    case "median":
      return median(numbers(answers, aggregation.field));
    case "best-confidence":
      return [...answers].sort((a, b) => (b.confidence ?? 0) - (a.confidence ?? 0))[0]?.value;
    case "function":
      throw new ParallaxError(
        "unsupported_strategy",
        "aggregating by a function is not possible on this node; choose another strategy for the pattern",
      );
  }
}

/** How many answers there should be before the tasks that no agent has yet are given up. */
export function neededAnswers({
  agents,
  aggregate,
}: Pick<PatternDefinition, "agents" | "aggregate">): number {
  return aggregate.strategy === "quorum" ? Math.max(agents.min, aggregate.quorum) : agents.min;
}

/** Whether these answers already decide the result, whatever the `open` tasks answer. */
export function isDecided(answers: readonly Answer[], aggregation: Aggregation, open: number): boolean {
  if (answers.length === 0) return false;
  if (aggregation.strategy === "first") return true;
  if (aggregation.strategy !== "quorum") return false;
  const { behind } = vote(answers, () => 1);
  // Reached, or out of reach.
  return behind >= aggregation.quorum || behind + open < aggregation.quorum;
}

/** Time for a function whose pattern says nothing. */
const defaultTimeoutMs = 1000;
/** More is not granted: the execution's owner waits for it. */
const longestTimeoutMs = 30_000;

/** How long a user's function may take. */
export function functionTimeoutMs({ timeout }: Extract<Aggregation, { strategy: "function" }>): number {
  return Math.min(longestTimeoutMs, timeout === undefined ? defaultTimeoutMs : parseDuration(timeout));
}

/** How long aggregating takes at most: a function may have to wait for its turn. */
export function longestAggregationMs(aggregation: Aggregation): number {
  return aggregation.strategy === "function" ? 2 * functionTimeoutMs(aggregation) : 0;
}

interface Camp {
  readonly value: unknown;
  readonly weight: number;
  readonly confidence: number;
  readonly behind: number;
}

/** The value with the greatest weight; of several the one with more confidence, then the one that came first by task. */
function vote(answers: readonly Answer[], weightOf: (answer: Answer) => number): Camp {
  const camps = new Map<string, Camp>();
  for (const answer of answers) {
    const key = canonicalJson(answer.value);
    const camp = camps.get(key) ?? { value: answer.value, weight: 0, confidence: 0, behind: 0 };
    camps.set(key, {
      value: camp.value,
      weight: camp.weight + weightOf(answer),
      confidence: camp.confidence + (answer.confidence ?? 0),
      behind: camp.behind + 1,
    });
  }
  const [winner] = [...camps.values()].sort((a, b) => b.weight - a.weight || b.confidence - a.confidence);
  return winner ?? { value: undefined, weight: 0, confidence: 0, behind: 0 };
}

function quorum(answers: readonly Answer[], needed: number): unknown {
  const { value, behind } = vote(answers, () => 1);
  if (behind >= needed) return value;
  const message = `aggregating: ${needed} agents had to agree, but the largest group is ${behind} of ${answers.length}`;
  throw new ParallaxError("no_quorum", `${message}; lower the quorum or ask more agents`);
}

function numbers(answers: readonly Answer[], field: string | undefined): number[] {
  return answers.map(({ agentName, value }) => {
    const number: unknown = field === undefined ? value : Object(value)[field];
    if (typeof number === "number" && Number.isFinite(number)) return number;
    const where = field === undefined ? "" : ` in ${field}`;
    throw new ParallaxError(
      "not_a_number",
      `aggregating numbers${where}: correct what agent ${agentName} answers`,
    );
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return mean(sorted.slice(sorted.length % 2 === 0 ? middle - 1 : middle, middle + 1));
}

/** JSON with sorted keys, so that equal answers are equal texts. */
export function canonicalJson(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.stringify(value, sorted) ?? "undefined";
}
