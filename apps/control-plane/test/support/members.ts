import { createListeners, type Listener, type Unsubscribe } from "@parallax/core";
import type { Member, MemberStatus, MembershipEvent, View } from "@parallax/membership";
import { startMs } from "./records.ts";

/** A member `node-0` with the incarnation `a` is written `node-0#a`. */
export function memberOf(name: string, changes: Partial<Member> = {}): Member {
  const [id = "", incarnation = ""] = name.split("#");
  return {
    id,
    incarnation,
    address: `${id}:8080`,
    zone: undefined,
    status: "healthy",
    joinedAtMs: startMs,
    lastBeatAtMs: startMs,
    report: { leading: undefined, capacity: {}, facts: {} },
    ...changes,
  };
}

/** What membership knows, as a test sets it. */
export interface KnownMembers {
  readonly ended: Set<string>;
  /** What {@link KnownMembers.declareEnded} was asked to end. */
  readonly declared: string[];
  set(name: string, status: MemberStatus, changes?: Partial<Member>): void;
  remove(name: string): void;
  view(): View | undefined;
  subscribe(listener: Listener<MembershipEvent>): Unsubscribe;
  /** Tells those who subscribed that a member has ended. */
  tell(type: "failed" | "left" | "replaced"): void;
  hasEnded(incarnation: string): Promise<boolean>;
  declareEnded(incarnation: string): Promise<boolean>;
}

export function knownMembers(...names: readonly string[]): KnownMembers {
  const members = new Map(names.map((name) => [name, memberOf(name)]));
  const ended = new Set<string>();
  const declared: string[] = [];
  const listeners = createListeners<MembershipEvent>(() => {});
  return {
    ended,
    declared,
    set: (name, status, changes = {}) => void members.set(name, memberOf(name, { status, ...changes })),
    remove: (name) => void members.delete(name),
    view: () => ({ epoch: "e", version: 1, members: [...members.values()], observedAtMs: startMs }),
    subscribe: (listener) => listeners.subscribe(listener),
    tell: (type) => listeners.emit({ type, member: "node", incarnation: "i", epoch: "e", version: 1 }),
    hasEnded: async (incarnation) => ended.has(incarnation),
    async declareEnded(incarnation) {
      declared.push(incarnation);
      if ([...members.values()].some((member) => member.incarnation === incarnation)) return false;
      ended.add(incarnation);
      return true;
    },
  };
}
