// A process whose work blocks the event loop (`blocks`), or goes on without minding its signal (`ignores`).

import { createElection } from "../../src/index.ts";
import { memoryLeaseSpace, memoryLeaseStore } from "../../src/memory.ts";
import { createLeaseWatchdog } from "../../src/watchdog.ts";
import { durations } from "./durations.ts";

const blocks = process.argv[2] === "blocks";
let isCut = false;
const store = memoryLeaseStore(memoryLeaseSpace(), {
  onRequest: async () => {
    if (isCut) throw new Error("cut");
  },
});
const watchdog = createLeaseWatchdog();
const election = createElection({ store, nodeId: "a", watchdog, ...durations });
const stop = new AbortController();
await election.run(
  async () => {
    // A renewal or two first: each puts the watchdog off.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    isCut = true;
    console.log(`cut ${Date.now()}`);
    if (blocks) while (Date.now() > 0);
    await new Promise((resolve) => setTimeout(resolve, 2 * durations.leaseDurationMs));
    console.log("still here");
    stop.abort();
  },
  { signal: stop.signal },
);
