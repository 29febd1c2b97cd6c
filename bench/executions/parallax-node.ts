// A control-plane node as `parallax start` runs it, configured by its environment.

import { createLogger, loadConfig, redisBackends, runNode } from "@parallax/control-plane";

const { config } = loadConfig({ environment: process.env, flags: [] });
const logger = createLogger(config.log, {});
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
await runNode({ config, backends: redisBackends(config, logger, () => {}), logger }, stop.signal);
