import type { ParallaxClient } from "@parallax/client";
import { errorMessage, isParallaxError } from "@parallax/core";
import type { NodeDiagnosis } from "@parallax/protocol";

/** A node that could not be asked. */
export interface SilentNode {
  /** Its id, or its address where nothing else is known. */
  readonly name: string;
  readonly error: string;
}

/** What the doctor judges by. */
export interface Evidence {
  readonly nodes: readonly NodeDiagnosis[];
  readonly silent: readonly SilentNode[];
}

/**
 * Asks every address, not the first that answers: nodes that were parted from each other do not know of one another. Each
 * answers for itself and for the members that it reaches.
 *
 * @throws ParallaxError `unreachable` when no address answers; what a node refuses, such as `unauthorized`
 */
export async function collectEvidence(
  urls: readonly string[],
  clientOf: (url: string) => ParallaxClient,
): Promise<Evidence> {
  const answers = await Promise.allSettled(urls.map((url) => clientOf(url).diagnose()));
  const nodes = new Map<string, NodeDiagnosis>();
  const silent = new Map<string, string>();
  for (const [index, answer] of answers.entries()) {
    if (answer.status === "rejected") {
      silent.set(urls[index] ?? "", errorMessage(answer.reason));
      continue;
    }
    for (const { nodeId, address, diagnosis, error = "it said nothing" } of answer.value.nodes) {
      if (diagnosis) nodes.set(`${nodeId} ${diagnosis.incarnation}`, diagnosis);
      else silent.set(`${nodeId} at ${address}`, error);
    }
  }
  if (nodes.size === 0) throw firstError(answers);
  const known = new Set([...nodes.values()].map(({ nodeId, address }) => `${nodeId} at ${address}`));
  return {
    nodes: [...nodes.values()].sort((left, right) =>
      left.nodeId.localeCompare(right.nodeId, "en", { numeric: true }),
    ),
    // What one node could not reach, another one or this machine may have reached.
    silent: [...silent].filter(([name]) => !known.has(name)).map(([name, error]) => ({ name, error })),
  };
}

/** A refusal says more than that nobody answered. */
function firstError(answers: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons = answers.flatMap((answer): unknown[] =>
    answer.status === "rejected" ? [answer.reason] : [],
  );
  return reasons.find((reason) => !isParallaxError(reason, "unreachable")) ?? reasons[0];
}
