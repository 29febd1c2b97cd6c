import type { Logger, Unsubscribe } from "@parallax/core";
import type { Election } from "@parallax/leader-election";

/** One line for each change of leadership that this node sees. Its own terms are told by the election. */
export function logLeaders(options: {
  readonly nodeId: string;
  readonly election: Pick<Election, "subscribe">;
  readonly logger: Logger;
}): Unsubscribe {
  const { nodeId, election, logger } = options;
  return election.subscribe((event) => {
    if (event.type === "store-changed")
      logger.warn("redis has failed over, or was restarted", { term: event.term });
    if (event.type !== "leader") return;
    if (event.leader === undefined) logger.warn("nobody leads");
    else if (event.leader.nodeId !== nodeId) {
      const { nodeId: leader, term } = event.leader;
      logger.info("another node leads", { leader, term });
    }
  });
}
