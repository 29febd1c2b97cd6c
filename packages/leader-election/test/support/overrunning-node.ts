// A process whose work does not end when its lease is lost. It is to end itself then.

import { createElection } from "../../src/index.ts";
import { memoryLeaseSpace, memoryLeaseStore } from "../../src/memory.ts";
import { overrunDurations } from "./durations.ts";

const space = memoryLeaseSpace();
let isCut = false;
const store = memoryLeaseStore(space, {
  onRequest: async () => {
    if (isCut) throw new Error("cut");
  },
});
const election = createElection({ store, nodeId: "a", overrun: "exit", ...overrunDurations });
await election.run(async (term) => {
  isCut = true;
  const startedAt = performance.now();
  term.signal.addEventListener("abort", () => console.log("aborted"));
  process.once("exit", () => console.log(`exits after ${Math.round(performance.now() - startedAt)} ms`));
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
