import type { CancelTimer, Clock, Logger } from "@parallax/core";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

export interface FarewellsOptions {
  readonly sessions: Pick<Sessions, "away" | "end">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Notes in the store that agents have gone. */
export interface Farewells {
  /** Once, or again until the store has taken it: a session that stays connected would never expire. */
  note(session: Session): void;
  stop(): void;
}

const againMs = 5000;

export function createFarewells({ sessions, clock, logger }: FarewellsOptions): Farewells {
  const timers = new Set<CancelTimer>();
  let stopped = false;

  function note(session: Session): void {
    const { agentId, counter, leaving } = session;
    // X10: both are conditioned on the connection, so that a late one does no harm to a newer one.
    const noted = leaving ? sessions.end(agentId, counter) : sessions.away(agentId, counter);
    noted.catch((error: unknown) => {
      logger.warn("could not note an agent's disconnect; trying again", { agent: agentId, error });
      if (stopped) return;
      const cancel = clock.after(againMs, () => {
        timers.delete(cancel);
        note(session);
      });
      timers.add(cancel);
    });
  }

  return {
    note,
    stop() {
      stopped = true;
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}
