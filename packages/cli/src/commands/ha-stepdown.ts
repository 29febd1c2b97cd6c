import type { RegisterCommand } from "../context.ts";
import { renderLeaderChange } from "../render/leader-change.ts";

/** `parallax ha stepdown` */
export const registerHaStepDown: RegisterCommand = (parent, context) => {
  parent
    .command("stepdown")
    .description("make the leader give up its lease; fails without a healthy standby")
    .addHelpText("after", "\nExample:\n  $ parallax ha stepdown")
    .action(async () => {
      const client = await context.client();
      const { withProgress } = await import("../render/progress.ts");
      const change = await withProgress(
        context.io,
        () => "asking the leader to step down",
        client.stepDown(),
      );
      context.print(change, renderLeaderChange);
    });
};
