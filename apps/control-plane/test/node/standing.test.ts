import { createListeners, noopLogger, seededRandom } from "@parallax/core";
import { createElection } from "@parallax/leader-election";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import type { MembershipEvent } from "@parallax/membership";
import { createVirtualClock } from "@parallax/testing";
import { expect, it } from "vitest";
import { createCandidacy } from "../../src/node/candidacy.ts";
import { createStanding } from "../../src/node/standing.ts";

it("M3: gives leadership up while the cluster does not hear it, and campaigns again once it does", async () => {
  const clock = createVirtualClock();
  const random = seededRandom(1);
  const events = createListeners<MembershipEvent>(() => {});
  const standing = createStanding({ subscribe: (listener) => events.subscribe(listener) });
  const store = memoryLeaseStore(memoryLeaseSpace({ clock, random }));
  const election = createElection({ store, nodeId: "node-0", clock, random, logger: noopLogger });
  const lead = (term: { readonly signal: AbortSignal }): Promise<void> =>
    clock.sleep(1_000_000, term.signal).catch(() => {});
  const candidacy = createCandidacy({ election, electable: true, standing, lead });
  const stop = new AbortController();
  const running = candidacy.run(stop.signal);
  const leads = (): boolean => election.term() !== undefined;
  await clock.runUntil(leads, 20_000);

  events.emit({ type: "cut-off" });
  await clock.advance(100);
  expect([standing.isCutOff, leads()]).toEqual([true, false]);
  await clock.advance(60_000);
  expect(leads()).toBe(false);

  events.emit({ type: "back" });
  await clock.runUntil(leads, 20_000);
  expect(standing.isCutOff).toBe(false);

  events.emit({ type: "cut-off" });
  await clock.advance(100);
  stop.abort();
  await clock.advance(100);
  await running;
  expect(clock.timers).toBe(0);
});
