import type { Clock } from "@parallax/core";
import type { Membership } from "@parallax/membership";
import { incarnationOf } from "../executions/record.ts";

/** Tells whether whoever owns something has provably ended (X1): alive, dead, or not known. */
export interface OwnerCheck {
  /** Never true for an owner that might live. */
  hasEnded(owner: string): Promise<boolean>;
}

/**
 * An owner that is a member lives, unless it has failed. One that membership knows to have ended has ended. One that
 * membership does not know at all is declared ended once it has been absent for `absentMs` of our own time: a living one
 * would have joined anew by then.
 */
export function createOwnerCheck(options: {
  readonly membership: Pick<Membership, "view" | "hasEnded" | "declareEnded">;
  readonly clock: Clock;
  readonly absentMs: number;
}): OwnerCheck {
  const { membership, clock, absentMs } = options;
  const absentSince = new Map<string, ReturnType<Clock["mark"]>>();

  return {
    async hasEnded(owner) {
      const incarnation = incarnationOf(owner);
      const member = membership.view()?.members.find((candidate) => candidate.incarnation === incarnation);
      if (member && member.status !== "failed") {
        absentSince.delete(owner);
        return false;
      }
      if (await membership.hasEnded(incarnation)) {
        absentSince.delete(owner);
        return true;
      }
      if (member) return false;
      const since = absentSince.get(owner) ?? clock.mark();
      absentSince.set(owner, since);
      if (clock.elapsedAtLeast(since) < absentMs) return false;
      return membership.declareEnded(incarnation);
    },
  };
}
