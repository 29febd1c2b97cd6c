import { formatDuration } from "@parallax/core";
import type { RegisterCommand } from "../context.ts";

/** `parallax ha drain` */
export const registerHaDrain: RegisterCommand = (parent, context) => {
  parent
    .command("drain")
    .description("let a node finish, hand over what it has, and stop")
    .argument("[node]", "its id; default: the node that answers")
    .addHelpText("after", "\nExample:\n  $ parallax ha drain parallax-control-plane-2")
    .action(async (node: string | undefined) => {
      const client = await context.client();
      const result = await client.drain(node === undefined ? {} : { node });
      context.print(
        result,
        ({ nodeId, drainTimeoutMs }) =>
          `Draining ${nodeId}: it stops within ${formatDuration(drainTimeoutMs)}`,
      );
    });
};
