import type { Logger } from "@parallax/core";

/**
 * Aborts at the first SIGTERM or SIGINT, or when the process that started this one over IPC is gone. A second signal ends
 * the process at once.
 */
export function stopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: string): void => {
    if (controller.signal.aborted) process.exit(1);
    logger.info("stopping; a second signal ends at once", { reason });
    controller.abort();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop(name));
  process.once("disconnect", () => stop("the parent process is gone"));
  // To listen for that must not keep a node alive that has stopped.
  process.channel?.unref();
  return controller.signal;
}
