import type { Member, View } from "@parallax/membership";
import { mayOwn, type Owner, ownerOf, takesWork } from "../peers.ts";

/** How much was given to each member since its beat: by its incarnation. */
export type Given = Map<string, { readonly beatAtMs: number; count: number }>;

/** The members that can take over executions, and how many more each of them can. */
export interface Heirs {
  /** The one with most room, of those that have the function if any of them does. Undefined when there is no room. */
  take(functionHash: string | undefined): Owner | undefined;
  readonly nodeIds: readonly string[];
}

/** Live members that have been there for a while; those that have only come if there are no others. */
export function heirsAmong(view: View | undefined, settlingMs: number): readonly Member[] {
  const takers = (view?.members ?? []).filter(takesWork);
  const settled = takers.filter(({ joinedAtMs }) => (view?.observedAtMs ?? 0) - joinedAtMs >= settlingMs);
  return settled.length > 0 ? settled : takers;
}

export function createHeirs(members: readonly Member[], given: Given): Heirs {
  const heirs = members.map((member) => {
    const { incarnation, lastBeatAtMs: beatAtMs, report } = member;
    const known = given.get(incarnation);
    const since = known?.beatAtMs === beatAtMs ? known : { beatAtMs, count: 0 };
    given.set(incarnation, since);
    const { room } = report.facts;
    return {
      owner: ownerOf(member),
      since,
      room: typeof room === "number" ? room : Number.POSITIVE_INFINITY,
    };
  });
  const alive = new Set(members.map(({ incarnation }) => incarnation));
  for (const incarnation of given.keys()) if (!alive.has(incarnation)) given.delete(incarnation);

  return {
    take(functionHash) {
      const able = heirs.filter(({ owner }) => mayOwn(owner, functionHash));
      const candidates = (able.length > 0 ? able : heirs).filter(({ room, since }) => since.count < room);
      const [first, ...others] = candidates;
      if (!first) return undefined;
      const best = others.reduce((one, other) => (isBetter(other, one) ? other : one), first);
      best.since.count += 1;
      return best.owner;
    },
    nodeIds: heirs.map(({ owner }) => owner.nodeId),
  };
}

interface Heir {
  readonly since: { count: number };
  readonly room: number;
}

/** More room left, or, where that has no bound, less given. */
function isBetter(one: Heir, other: Heir): boolean {
  const [left, right] = [one.room - one.since.count, other.room - other.since.count];
  return left === right ? one.since.count < other.since.count : left > right;
}
