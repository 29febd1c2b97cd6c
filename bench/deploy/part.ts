import { parentPort } from "node:worker_threads";
import { startFleet } from "../agents/fleet.ts";
import { pause } from "../agents/options.ts";
import { epochMs, partOfThread, type Said } from "./crowd.ts";

/** What a thread of a crowd does: agents as the SDK makes them. */
export async function runPart(): Promise<void> {
  const { url, count, minWork, maxWork, slots } = partOfThread();
  const say = (said: Said): void => parentPort?.postMessage(said);
  await startFleet({
    count,
    url,
    capability: "work",
    slots,
    handler: () => async () => {
      if (maxWork > 0) await pause(minWork + Math.random() * (maxWork - minWork));
      return { result: "done", confidence: 1 };
    },
    onAttempt: () => say({ type: "attempt", atMs: epochMs() }),
    onEvent(index, event) {
      if (event.type === "connected") say({ type: event.type, index, nodeId: event.nodeId });
      else if (event.type === "disconnected") say({ type: event.type, index, code: event.code });
      else if (event.type === "gave-up") say({ type: event.type, message: event.error.message });
    },
  });
  say({ type: "started" });
}
