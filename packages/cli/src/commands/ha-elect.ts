import type { RegisterCommand } from "../context.ts";
import { renderLeaderChange } from "../render/leader-change.ts";

/** `parallax ha elect` */
export const registerHaElect: RegisterCommand = (parent, context) => {
  parent
    .command("elect")
    .description("elect a leader: asks the present one to step down, and waits")
    .option("-f, --force", "depose the leader, fenced, even if it cannot be reached")
    .addHelpText("after", "\nExample:\n  $ parallax ha elect --force")
    .action(async ({ force = false }: { force?: boolean }) => {
      const client = await context.client();
      const { withProgress } = await import("../render/progress.ts");
      const change = await withProgress(context.io, () => "electing a leader", client.elect({ force }));
      context.print(change, renderLeaderChange);
    });
};
