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
      context.print(await client.stepDown(), renderLeaderChange);
    });
};
