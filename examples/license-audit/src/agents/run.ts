import { consoleLogger } from "@parallax/core";
import { addresses } from "../addresses.ts";
import type { Classify } from "../classification.ts";
import { createLicenseAgent } from "./license-agent.ts";

/**
 * The life of an agent's process: connects to `PARALLAX_URL` (several separated by commas, default
 * `http://localhost:8080`) with `PARALLAX_TOKEN`, if there is one, and works until SIGTERM or SIGINT. A second signal ends
 * the process at once.
 */
export async function runAgent(name: string, classify: Classify): Promise<void> {
  const { PARALLAX_URL: urls, PARALLAX_TOKEN: token } = process.env;
  const log = consoleLogger({ agent: name });
  const agent = createLicenseAgent({
    classify,
    name,
    controlPlaneUrl: addresses(urls),
    // Classifying takes a millisecond or two. More places than the audit keeps under way: no execution waits for one.
    maxConcurrentTasks: 64,
    // A demonstration restarts nodes at will: the agent outlasts them.
    reconnect: { maxRetries: Number.POSITIVE_INFINITY, backoff: { initial: 200, max: 2_000 } },
    ...(token === undefined ? {} : { token }),
  });
  agent.on("connected", ({ nodeId, resumed }) => log.info("connected", { nodeId, resumed }));
  agent.on("disconnected", ({ reason }) => log.info("disconnected", { reason }));
  agent.on("error", ({ error }) => log.warn(error.message, { code: error.code }));

  const stop = (): void => {
    agent.stop().catch((error: unknown) => {
      log.error("stopping failed", { error });
      process.exitCode = 1;
    });
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  await agent.start();
}
