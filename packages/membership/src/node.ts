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

/** How one attempt is made. */
type Send<Answer> = (bounds: { readonly deadlineMs: number }) => Promise<Answer>;

/** What an answer tells of the store, besides what was asked. */
interface Telling {
  readonly view?: View | undefined;
  /** The store's time, if there is no view to tell it. */
  readonly storeTimeMs?: number;
}

/**
 * Sends one request, bounded by `timeoutMs` and by `signal`: whoever leaves does not wait for a beat that is on its way.
 *
 * @throws ParallaxError `timeout`, `aborted`, or what the store rejects with
 */
export async function request<Answer>(
  node: Node,
  what: string,
  send: Send<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  throwIfAborted(signal);
  const { clock, timeoutMs } = node.settings;
  return withDeadline(send({ deadlineMs: timeoutMs }), { clock, timeoutMs, what, signal });
}

/** A request whose answer is also taken in: the store's time as a reading for {@link Trust}, and the view. */
export async function observe<Answer extends Telling>(
  node: Node,
  what: string,
  send: Send<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  const ticket = node.feed.ticket();
  const { clock } = node.settings;
  const sentMs = clock.now();
  const answer = await request(node, what, send, signal);
  const { view, storeTimeMs = view?.observedAtMs } = answer;
  if (storeTimeMs !== undefined) node.trust.read({ sentMs, receivedMs: clock.now(), storeTimeMs });
  if (view) node.feed.offer(view, ticket);
  return answer;
}

/** A request that is answered with the view. */
export async function observeView(
  node: Node,
  what: string,
  send: Send<View>,
  signal?: AbortSignal,
): Promise<View> {
  const asking = async (bounds: { readonly deadlineMs: number }): Promise<{ view: View }> => ({
    view: await send(bounds),
  });
  return (await observe(node, what, asking, signal)).view;
}
