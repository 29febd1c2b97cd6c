import { describe, expect, it } from "vitest";
import type { MembershipEvent, View } from "../src/index.ts";
import { createViewFeed, type ViewFeed } from "../src/view-feed.ts";

interface Watched extends ViewFeed {
  readonly told: string[];
  readonly errors: unknown[];
  settled(): Promise<void>;
}

/** What the store says is its history after a version. */
type History = (since: number) => readonly MembershipEvent[] | undefined;

function view(epoch: string, version: number): View {
  return { epoch, version, members: [], observedAtMs: 0 };
}

function event(epoch: string, version: number): MembershipEvent {
  return { type: "suspected", member: "a", incarnation: "1", epoch, version };
}

/** A history without holes, up to `top`. */
function whole(epoch: string, top: number): History {
  return (since) => Array.from({ length: top - since }, (_, index) => event(epoch, since + 1 + index));
}

function feed(history: History): Watched {
  const told: string[] = [];
  const errors: unknown[] = [];
  const made = createViewFeed({
    store: { history: async ({ version }) => history(version) },
    timeoutMs: 1000,
    onView: () => {},
    emit: (each) => told.push("version" in each ? `${each.type} ${each.epoch}${each.version}` : each.type),
    onError: (error) => errors.push(error),
  });
  return Object.assign(Object.create(made), {
    told,
    errors,
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  });
}

describe("M4: the feed of views", () => {
  it("tells what happened since the first view, and nothing of what was before", async () => {
    const watched = feed(whole("a", 9));
    watched.offer(view("a", 5), watched.ticket());
    watched.offer(view("a", 5), watched.ticket());
    await watched.settled();
    expect(watched.told).toEqual([]);
    watched.offer(view("a", 7), watched.ticket());
    await watched.settled();
    // The store is at 9 by now, but the view that we have is 7.
    expect(watched.told).toEqual(["suspected a6", "suspected a7"]);
  });

  it("ignores an answer that is older than what it has", async () => {
    const watched = feed(whole("a", 9));
    const early = watched.ticket();
    watched.offer(view("a", 7), watched.ticket());
    watched.offer(view("a", 6), watched.ticket());
    watched.offer({ ...view("a", 7), observedAtMs: -1 }, early);
    expect(watched.current).toEqual(view("a", 7));
  });

  it("does not go back to an epoch that is over when its last answer comes late", async () => {
    const watched = feed(whole("b", 3));
    watched.offer(view("a", 7), watched.ticket());
    const late = watched.ticket();
    watched.offer(view("b", 1), watched.ticket());
    watched.offer(view("a", 8), late);
    watched.offer(view("b", 2), watched.ticket());
    await watched.settled();
    expect(watched.told).toEqual(["reset b1", "suspected b2"]);
  });

  it("says reset rather than leave a hole", async () => {
    const watched = feed(() => [event("a", 8)]);
    watched.offer(view("a", 5), watched.ticket());
    watched.offer(view("a", 8), watched.ticket());
    await watched.settled();
    expect(watched.told).toEqual(["reset a8"]);
  });

  it("tells later what it could not ask for now", async () => {
    let isDown = true;
    const watched = feed((since) => {
      if (isDown) throw new Error("no store");
      return whole("a", 8)(since);
    });
    watched.offer(view("a", 5), watched.ticket());
    watched.offer(view("a", 7), watched.ticket());
    await watched.settled();
    expect([watched.told, watched.errors.length]).toEqual([[], 1]);
    isDown = false;
    watched.offer(view("a", 7), watched.ticket());
    await watched.settled();
    expect(watched.told).toEqual(["suspected a6", "suspected a7"]);
  });
});
