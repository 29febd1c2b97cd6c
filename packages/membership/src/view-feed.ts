import type { Membership, MembershipEvent, View } from "./membership.ts";
import type { MembershipStore } from "./store.ts";

/** What {@link createViewFeed} needs. */
export interface ViewFeedOptions {
  readonly store: Pick<MembershipStore, "history">;
  readonly timeoutMs: number;
  /** Called with every newer view, before the events that lead to it. */
  readonly onView: (view: View) => void;
  readonly emit: (event: MembershipEvent) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Turns the views that come with answers, in whatever order, into the newest view and one gapless sequence of transitions
 * (M4). Where the sequence cannot be continued it says `reset`.
 */
export interface ViewFeed {
  readonly current: ReturnType<Membership["view"]>;
  /** A number for a request that is about to be sent; an answer is newer than another if its request was. */
  ticket(): number;
  /** Takes in the view of an answer to the request with this ticket. */
  offer(view: View, ticket: number): void;
}

type Position = Pick<View, "epoch" | "version">;

export function createViewFeed(options: ViewFeedOptions): ViewFeed {
  const { store, timeoutMs, onView, emit, onError } = options;
  let tickets = 0;
  let current: { readonly view: View; readonly ticket: number } | undefined;
  /** How far the listeners have been told. */
  let told: Position | undefined;
  let telling = Promise.resolve();

  function isNewer(view: View, ticket: number): boolean {
    if (!current) return true;
    const isLater = ticket > current.ticket;
    if (view.epoch !== current.view.epoch) return isLater;
    return view.version > current.view.version || (view.version === current.view.version && isLater);
  }

  function reset({ epoch, version }: Position): void {
    told = { epoch, version };
    emit({ type: "reset", epoch, version });
  }

  async function tell(view: View): Promise<void> {
    if (!told) told = { epoch: view.epoch, version: view.version };
    if (told.epoch !== view.epoch) return reset(view);
    if (told.version >= view.version) return;
    const events = await store.history(told, { deadlineMs: timeoutMs });
    if (!events) return reset(view);
    for (const event of events) {
      if (!("member" in event) || event.version > view.version) continue;
      if (event.epoch !== told.epoch || event.version !== told.version + 1) return reset(view);
      told = { epoch: event.epoch, version: event.version };
      emit(event);
    }
  }

  return {
    get current() {
      return current?.view;
    },
    ticket() {
      tickets += 1;
      return tickets;
    },
    offer(view, ticket) {
      if (!isNewer(view, ticket)) return;
      current = { view, ticket };
      onView(view);
      // What cannot be told now is told with the next view: nothing is skipped.
      telling = telling.then(() => tell(view)).catch(onError);
    },
  };
}
