import type { Classification } from "./classification.ts";

/**
 * The majority among answers, by the control plane's rule: the result that most gave; of several, the one with the higher
 * summed confidence, then the earliest. Used where the methods are tried without a control plane, to compare with.
 */
export function majority(answers: readonly Classification[]): string | undefined {
  const camps = new Map<string, { votes: number; confidence: number }>();
  for (const { result, confidence } of answers) {
    const camp = camps.get(result) ?? { votes: 0, confidence: 0 };
    camps.set(result, { votes: camp.votes + 1, confidence: camp.confidence + confidence });
  }
  // Sorting is stable and a Map keeps its order: equal camps stay in the order of their first answer.
  const [winner] = [...camps].sort(([, a], [, b]) => b.votes - a.votes || b.confidence - a.confidence);
  return winner?.[0];
}
