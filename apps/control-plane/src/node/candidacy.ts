import type { Election, Term } from "@parallax/leader-election";
import type { Standing } from "./standing.ts";

/** This node's part in the election, which a drain ends before anything else. */
export interface Candidacy {
  /** Campaigns and leads until `signal` aborts; after {@link Candidacy.stop} it only waits for that. */
  run(signal: AbortSignal): Promise<void>;
  /** Gives leadership up for good; resolves once the lease is released or has run out. */
  stop(): Promise<void>;
}

/**
 * `lead` is what a leader does. A node that may not lead (`electable: false`) takes no part, and one that the cluster does
 * not hear (M3) gives leadership up and takes none until it is heard again.
 */
export function createCandidacy(options: {
  readonly election: Election;
  readonly electable: boolean;
  readonly standing: Standing;
  readonly lead: (term: Term) => Promise<void>;
}): Candidacy {
  const { election, electable, standing, lead } = options;
  const stopping = new AbortController();
  let campaign: Promise<void> = Promise.resolve();

  async function campaignUntil(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await election.run(lead, { signal: AbortSignal.any([stop, standing.signal]) });
      await standing.heard(stop);
    }
  }

  return {
    async run(signal) {
      const ended = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      if (electable) campaign = campaignUntil(AbortSignal.any([signal, stopping.signal]));
      await campaign;
      await ended;
    },
    async stop() {
      stopping.abort();
      // Its failure is the failure of `run`.
      await campaign.catch(() => {});
    },
  };
}
