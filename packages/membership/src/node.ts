import { throwIfAborted, withDeadline } from "@parallax/core";
import type { Acknowledgement } from "./acknowledgement.ts";
import type { MembershipEvent, View } from "./membership.ts";
import type { Settings } from "./options.ts";
import type { Trust } from "./trust.ts";
import type { ViewFeed } from "./view-feed.ts";

/** What the loops of one membership share. */
export interface Node {
  readonly settings: Settings;
  readonly feed: ViewFeed;
  readonly trust: Trust;
  readonly acknowledgement: Acknowledgement;
  readonly emit: (event: MembershipEvent) => void;
  incarnation: string;
  /** Whether the store holds a row of this incarnation, as far as we know. */
  isMember: boolean;
  /** The epoch in which this incarnation was last acknowledged. */
  memberEpoch: string | undefined;
  /** M7: whether this node vouched for itself when it was last asked. */
  vouches: boolean;
  /** Whether this node takes no new work. It stays so through rejoins. */
  isDraining: boolean;
}

/** Who asks: the ids that go with most requests. */
export function identity(node: Node): { readonly nodeId: string; readonly incarnation: string } {
  return { nodeId: node.settings.nodeId, incarnation: node.incarnation };
}

/** How a request went: what is needed to judge its answer. */
interface Sent {
  readonly ticket: number;
  readonly sentMs: number;
}

/**
 * Sends one request, bounded by `timeoutMs` and by `signal`, and takes in what every answer tells: the store's time as a
 * reading for {@link Trust}, and the view.
 *
 * @throws ParallaxError `timeout`, `aborted`, or what the store rejects with
 */
export async function request<Answer>(
  node: Node,
  what: string,
  send: (options: { readonly deadlineMs: number }) => Promise<Answer>,
  look: (answer: Answer) => { readonly storeTimeMs?: number; readonly view?: View | undefined },
  signal?: AbortSignal,
): Promise<Answer> {
  throwIfAborted(signal);
  const { clock, timeoutMs } = node.settings;
  const sent: Sent = { ticket: node.feed.ticket(), sentMs: clock.now() };
  // Whoever leaves does not wait for a beat that is on its way.
  const answer = await withDeadline(send({ deadlineMs: timeoutMs }), { clock, timeoutMs, what, signal });
  const { view, storeTimeMs = view?.observedAtMs } = look(answer);
  if (storeTimeMs !== undefined) {
    node.trust.read({ sentMs: sent.sentMs, receivedMs: clock.now(), storeTimeMs });
  }
  if (view) node.feed.offer(view, sent.ticket);
  return answer;
}
