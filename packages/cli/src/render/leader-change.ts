import { formatDuration } from "@parallax/core";
import type { LeaderChange } from "@parallax/protocol";

/** The old and the new leader, and the time it took. */
export function renderLeaderChange({ oldLeader, newLeader, tookMs }: LeaderChange): string {
  return [
    `Old leader: ${oldLeader ?? "none"}`,
    `New leader: ${newLeader ?? "none"}`,
    `Took: ${formatDuration(tookMs)}`,
  ].join("\n");
}
