import { errorMessage } from "@parallax/core";
import { createMemorySpace, memoryBackends, redisBackends, usesRedis } from "../backends.ts";
import { type LoadedConfig, type LoadOptions, loadConfig, nodeIdOf } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { createLogger, type LogLevel, type NodeLogger } from "../log.ts";
import { runNode } from "../node/run-node.ts";
import { stopSignal } from "./stop-signal.ts";

/** Runs a node until it is told to stop. */
export async function start(options: LoadOptions): Promise<void> {
  const load = (): LoadedConfig => loadConfig(options);
  const { config, notes } = load();
  const logger = createLogger(config.log, { node: nodeIdOf(config) });
  for (const note of notes) logger.warn(note);
  toggleDebug(logger, config.log.level);
  const onError = (error: unknown): void =>
    logger.debug("a connection to Redis met an error", { error: errorMessage(error) });
  const backends = usesRedis(config)
    ? redisBackends(config, logger, onError)
    : memoryBackends(createMemorySpace());
  if (backends.kind === "memory")
    logger.info("no Redis is configured: state is kept in memory, and is gone when this node stops");
  const readTokens = (): Config["server"]["auth"]["tokens"] => load().config.server.auth.tokens;
  await runNode({ config, backends, logger, readTokens }, stopSignal(logger));
}

/** SIGUSR2 makes a running node say everything, and the next one makes it go back. */
function toggleDebug(logger: NodeLogger, usual: LogLevel): void {
  process.on("SIGUSR2", () => {
    logger.setLevel(logger.level() === "debug" ? usual : "debug");
    logger.info("the level of the log was changed by SIGUSR2", { to: logger.level() });
  });
}
