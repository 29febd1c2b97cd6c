import type { Logger, Unsubscribe } from "@parallax/core";
import type { Membership, MembershipEvent } from "@parallax/membership";

/** One line for each transition of a member, and of this node's own standing. */
export function logMembers(options: {
  readonly membership: Pick<Membership, "subscribe">;
  readonly logger: Logger;
}): Unsubscribe {
  const { membership, logger } = options;
  return membership.subscribe((event) => {
    const { level, message, facts } = lineOf(event);
    logger[level](message, facts);
  });
}

interface Line {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

function lineOf(event: MembershipEvent): Line {
  switch (event.type) {
    case "cut-off":
      return { level: "warn", message: "cut off from the cluster: its beats are not acknowledged" };
    case "back":
      return { level: "info", message: "back in the cluster" };
    case "reset":
      return { level: "warn", message: "the members were lost by the store; they join anew" };
    case "ended": {
      const { reason, by } = event;
      const facts = { reason, ...(by === undefined ? {} : { by }) };
      return { level: "warn", message: "this node's membership has ended; it joins anew", facts };
    }
    case "failed":
      return { level: "warn", message: "member failed", facts: factsOf(event) };
    case "joined":
    case "suspected":
    case "recovered":
    case "draining":
    case "left":
    case "removed":
    case "replaced":
      return { level: "info", message: `member ${words[event.type]}`, facts: factsOf(event) };
  }
}

const words = {
  joined: "joined",
  suspected: "suspected",
  recovered: "recovered",
  draining: "drains",
  left: "left",
  removed: "removed",
  replaced: "replaced by a newer process",
} as const;

function factsOf({ member, version }: Extract<MembershipEvent, { member: string }>): Record<string, unknown> {
  return { member, version };
}
