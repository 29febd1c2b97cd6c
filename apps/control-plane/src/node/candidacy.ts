import type { Election, Term } from "@parallax/leader-election";

/** This node's part in the election, which a drain ends before anything else. */
export interface Candidacy {
  /** Campaigns and leads until `signal` aborts; after {@link Candidacy.stop} it only waits for that. */
  run(signal: AbortSignal): Promise<void>;
  /** Gives leadership up for good; resolves once the lease is released or has run out. */
  stop(): Promise<void>;
}

/** `lead` is what a leader does. A node that may not lead (`electable: false`) takes no part. */
export function createCandidacy(options: {
  readonly election: Election;
  readonly electable: boolean;
  readonly lead: (term: Term) => Promise<void>;
}): Candidacy {
  const { election, electable, lead } = options;
  const stopping = new AbortController();
  let campaign: Promise<void> = Promise.resolve();

  return {
    async run(signal) {
      const ended = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      if (electable) campaign = election.run(lead, { signal: AbortSignal.any([signal, stopping.signal]) });
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
