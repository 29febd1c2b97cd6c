// A million renewals on the virtual clock: what is left behind.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createElection } from "@parallax/leader-election";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { createTimeline } from "@parallax/testing";
import { numbers } from "./measure.ts";

const { renewals } = numbers({ renewals: 1_000_000 });
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const timeline = createTimeline({ promisesOnly: true });
const clock = timeline.clock();
const space = memoryLeaseSpace({ clock: timeline.clock() });
const store = memoryLeaseStore(space);
let renewed = 0;
const counted: typeof store = {
  ...store,
  renew(request, bounds) {
    renewed += 1;
    return store.renew(request, bounds);
  },
};
const election = createElection({ store: counted, nodeId: "a", clock });
const stop = new AbortController();
let listeners = 0;
const running = election.run(
  (term) => {
    const { signal } = term;
    // Counts what anybody adds to the term's signal, and takes away again.
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    return new Promise((resolve) => add("abort", () => resolve(), { once: true }));
  },
  { signal: stop.signal },
);

function heap(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

// What is compiled and cached in the beginning is none of what is left behind.
while (renewed < renewals / 100) await timeline.advance(200_000);
const timersBefore = timeline.timers;
const heapBefore = heap();
const startedAt = performance.now();
const from = renewed;
while (renewed < from + renewals) await timeline.advance(2_000_000);
const heapAfter = heap();
const timersWhile = timeline.timers;
stop.abort();
await timeline.advance(1000);
await running;
console.log(`${renewed - from} renewals in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
console.table({
  "heap after collection, bytes": { before: heapBefore, after: heapAfter, "more by": heapAfter - heapBefore },
  "timers while leading": { before: timersBefore, after: timersWhile, "more by": timersWhile - timersBefore },
  "timers after the end": { before: 0, after: timeline.timers, "more by": timeline.timers },
  "listeners on the term's signal": { before: 0, after: listeners, "more by": listeners },
});
process.exitCode = timeline.timers === 0 && heapAfter - heapBefore < 1_048_576 ? 0 : 1;
