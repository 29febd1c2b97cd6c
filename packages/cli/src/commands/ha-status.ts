import { errorMessage, isParallaxError, systemClock } from "@parallax/core";
import type { HaStatus } from "@parallax/protocol";
import type { CliContext, RegisterCommand } from "../context.ts";

/** How often `--watch` looks, in milliseconds. */
const watchIntervalMs = 1_000;

/** Clears a terminal and goes to its upper left corner. */
const clearScreen = "\u001b[2J\u001b[H";

/** `parallax ha status` */
export const registerHaStatus: RegisterCommand = (parent, context) => {
  parent
    .command("status")
    .description("show the nodes, their health and the leader")
    .option("-w, --watch", "look every second until interrupted")
    .addHelpText("after", "\nExample:\n  $ parallax ha status --watch")
    .action((options: { watch?: boolean }) => (options.watch ? watch(context) : show(context)));
};

async function show(context: CliContext): Promise<void> {
  const client = await context.client();
  await print(context, await client.haStatus(), "");
}

/** A fail-over is what one watches for: while no node answers, it says so and looks again. */
async function watch(context: CliContext): Promise<void> {
  const { io } = context;
  const { signal } = io;
  const client = await context.client();
  const before = io.isTty && !context.globals().json ? clearScreen : "";
  while (!signal.aborted) {
    try {
      await print(context, await client.haStatus({ signal }), before);
    } catch (error) {
      if (signal.aborted) return;
      if (!isParallaxError(error)) throw error;
      io.err(`${before}parallax: ${errorMessage(error)} (${error.code})`);
    }
    await systemClock.sleep(watchIntervalMs, signal).catch(() => {});
  }
}

async function print(context: CliContext, status: HaStatus, before: string): Promise<void> {
  const { renderHaStatus } = await import("../render/ha-status.ts");
  const { colorsOf } = await import("../render/colors.ts");
  context.print(status, (value) => `${before}${renderHaStatus(value, colorsOf(context.io))}`);
}
