import { type Clock, isParallaxError, type Logger } from "@parallax/core";
import type { Election } from "@parallax/leader-election";
import type { MemberReport, Membership } from "@parallax/membership";

export interface ClaimOptions {
  readonly election: Pick<Election, "term" | "subscribe">;
  readonly retryPeriodMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the cluster hears of this node's leadership. A claim says how long it holds, and lapses where nothing follows. */
export interface Claim {
  /** For the next report. */
  leading(): MemberReport["leading"];
  /** Has a change of role reported at once, and a claim repeated before it lapses. */
  keep(membership: Pick<Membership, "beat">): void;
}

export function createClaim({ election, retryPeriodMs, clock, logger }: ClaimOptions): Claim {
  let holdsUntilMs = 0;

  function report(membership: Pick<Membership, "beat">): void {
    membership.beat().catch((error: unknown) => {
      // Before the first join there is nothing to report to; afterwards the next beat says it.
      if (!isParallaxError(error)) throw error;
      logger.debug("could not report the role at once", { error });
    });
  }

  return {
    leading() {
      const term = election.term();
      if (!term) return undefined;
      const remainingMs = Math.max(0, Math.floor(term.remaining()));
      holdsUntilMs = clock.now() + remainingMs;
      return { term: term.token, remainingMs };
    },
    keep(membership) {
      let cancel = (): void => {};
      election.subscribe(({ type }) => {
        if (type !== "elected" && type !== "ended") return;
        cancel();
        report(membership);
        if (type === "ended") return;
        // A lease may be shorter than the interval of the beats.
        cancel = clock.every(retryPeriodMs, () => {
          if (holdsUntilMs - clock.now() <= 1.5 * retryPeriodMs) report(membership);
        });
      });
    },
  };
}
