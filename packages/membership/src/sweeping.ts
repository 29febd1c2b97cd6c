import { type Node, observe, observeView } from "./node.ts";
import { createPulse } from "./pulse.ts";

/**
 * Sweeps until `signal` aborts. Any node may: a sweep is judged by the store's clock alone, and two in a row do what one does.
 * The next one comes when the store says that somebody falls due, and at the latest after an interval.
 */
export async function runSweeps(node: Node, signal: AbortSignal): Promise<void> {
  const { clock, random, checkIntervalMs, onError } = node.settings;
  const pause = createPulse(clock);
  let waitMs = random.next() * checkIntervalMs;
  while (!signal.aborted) {
    const { lateMs } = await pause.wait(waitMs, signal);
    node.trust.late(lateMs);
    waitMs = checkIntervalMs / 2;
    if (signal.aborted || !node.isMember) continue;
    try {
      const nextInMs = await sweepOnce(node, signal);
      if (nextInMs === undefined) continue;
      const dueMs = nextInMs + (random.next() * checkIntervalMs) / 50;
      waitMs = Math.min(checkIntervalMs, Math.max(checkIntervalMs / 10, dueMs));
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
  }
}

/** Milliseconds until the next sweep is worth while; undefined if this node did not sweep. */
async function sweepOnce(node: Node, signal: AbortSignal): Promise<number | undefined> {
  const { clock, store, timeoutMs, checkIntervalMs, unhealthyThreshold, removeAfterMs } = node.settings;
  const believed = node.trust.believed(clock.now(), timeoutMs);
  // M5, M7: who is not sure of itself does not judge others. It looks, so that its view stays fresh and its trust returns.
  if (!believed || !node.vouches) {
    await observeView(node, "reading the view", (bounds) => store.read(bounds), signal);
    return undefined;
  }
  const limits = { checkIntervalMs, unhealthyThreshold, removeAfterMs, believed };
  const { swept, nextInMs } = await observe(
    node,
    "sweeping",
    (bounds) => store.sweep(limits, bounds),
    signal,
  );
  return swept ? (nextInMs ?? checkIntervalMs) : undefined;
}
