import type { Logger, Unsubscribe } from "@parallax/core";
import type { Election } from "@parallax/leader-election";

/** One line for each change of leadership that this node sees. Its own terms, and members, are logged by their packages. */
export function logLeaders(options: {
  readonly nodeId: string;
  readonly election: Pick<Election, "subscribe">;
  readonly logger: Logger;
}): Unsubscribe {
  const { nodeId, election, logger } = options;
  let isOwn = false;
  return election.subscribe((event) => {
    if (event.type === "store-changed")
      logger.warn("redis has failed over, or was restarted", { term: event.term });
    if (event.type !== "leader") return;
    const wasOwn = isOwn;
    isOwn = event.leader?.nodeId === nodeId;
    if (event.leader === undefined) {
      // The end of its own term has been told.
      if (!wasOwn) logger.warn("nobody leads");
    } else if (!isOwn) {
      const { nodeId: leader, term } = event.leader;
      logger.info("another node leads", { leader, term });
    }
  });
}
