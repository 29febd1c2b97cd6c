import type { ParallaxClient } from "@parallax/client";
import { formatDuration, isParallaxError, ParallaxError, systemClock } from "@parallax/core";
import type { DrainResult } from "@parallax/protocol";
import type { RegisterCommand } from "../context.ts";

/** What a node needs after its drain to leave and to end, in milliseconds. */
const afterDrainMs = 10_000;
/** How often `--wait` looks, in milliseconds. */
const lookEveryMs = 500;

/** `parallax ha drain` */
export const registerHaDrain: RegisterCommand = (parent, context) => {
  parent
    .command("drain")
    .description("let a node finish, hand over what it has, and stop")
    .argument("[node]", "its id; default: the node that answers")
    .option("-w, --wait", "wait until it has left the cluster")
    .addHelpText("after", "\nExample:\n  $ parallax ha drain parallax-control-plane-2 --wait")
    .action(async (node: string | undefined, { wait = false }: { wait?: boolean }) => {
      const client = await context.client();
      const result = await client.drain(node === undefined ? {} : { node });
      if (wait) {
        const { withProgress } = await import("../render/progress.ts");
        await withProgress(context.io, () => `${result.nodeId} drains`, untilLeft(client, result));
      }
      context.print(result, ({ nodeId, drainTimeoutMs }) =>
        wait
          ? `Drained ${nodeId}: it has left the cluster`
          : `Draining ${nodeId}: it stops within ${formatDuration(drainTimeoutMs)}`,
      );
    });
};

/** @throws ParallaxError `drain_late` when it is still a member long after its time. */
async function untilLeft(client: ParallaxClient, { nodeId, drainTimeoutMs }: DrainResult): Promise<void> {
  const untilMs = systemClock.now() + drainTimeoutMs + afterDrainMs;
  while (systemClock.now() < untilMs) {
    const isMember = await client.haStatus().then(
      ({ members }) => members.some(({ id }) => id === nodeId),
      (error: unknown) => {
        // The node that was drained was the only one that was named, and has ended.
        if (isParallaxError(error, "unreachable")) return false;
        throw error;
      },
    );
    if (!isMember) return;
    await systemClock.sleep(lookEveryMs);
  }
  const message = `draining ${nodeId}: it is still a member; look at its log, and stop its process`;
  throw new ParallaxError("drain_late", message, { details: { nodeId } });
}
