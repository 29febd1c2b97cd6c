import type { View } from "@parallax/membership";
import type { Reachability } from "@parallax/redis";

export interface VouchOptions {
  readonly nodeId: string;
  /** Undefined where state is in this process. */
  readonly reachability: Reachability | undefined;
  readonly view: () => View | undefined;
  /** How long a part of what this node works with may be broken, in ms. */
  readonly graceMs: number;
}

/**
 * M7: whether this node may beat. While a part of what it works with is broken here for long and works for others, its beats
 * stop, so that others take over what it can't do. What is broken for all of them is nobody's to take over, and a node that
 * fell silent for it would only add to the trouble.
 */
export function createVouch({ nodeId, reachability, view, graceMs }: VouchOptions): () => boolean {
  if (!reachability) return () => true;
  return () => {
    const others = (view()?.members ?? []).filter(({ id, status }) => id !== nodeId && status === "healthy");
    const works = (part: string): boolean =>
      others.some(({ report }) => {
        const { broken } = report.facts;
        return !(Array.isArray(broken) && broken.includes(part));
      });
    return !reachability.brokenFor(graceMs).some(works);
  };
}
