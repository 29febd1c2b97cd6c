import type { Membership } from "@parallax/membership";

/** M3: whether the cluster hears this node. While it does not, the node neither leads nor owns new work. */
export interface Standing {
  readonly isCutOff: boolean;
  /** Aborts when this node is cut off; after that another one. */
  readonly signal: AbortSignal;
  /** Resolves once the cluster hears it, or `stop` aborts. */
  heard(stop: AbortSignal): Promise<void>;
}

/** Before its first join a node has no standing to lose. */
export function createStanding(membership: Pick<Membership, "subscribe">): Standing {
  let losing = new AbortController();
  let isCutOff = false;
  const waiting = new Set<() => void>();
  membership.subscribe(({ type }) => {
    if (type === "cut-off") {
      isCutOff = true;
      losing.abort();
    }
    if (type !== "back") return;
    isCutOff = false;
    losing = new AbortController();
    for (const go of [...waiting]) go();
  });
  return {
    get isCutOff() {
      return isCutOff;
    },
    get signal() {
      return losing.signal;
    },
    heard(stop) {
      if (!isCutOff || stop.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const go = (): void => {
          waiting.delete(go);
          stop.removeEventListener("abort", go);
          resolve();
        };
        waiting.add(go);
        stop.addEventListener("abort", go);
      });
    },
  };
}
