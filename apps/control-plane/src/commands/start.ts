import type { RegisterCommand } from "@parallax/cli";
import type { Setting } from "../config/sources.ts";

/** Flags of `parallax start`, and the key of the configuration that each of them sets. */
const flags: Readonly<
  Record<string, { readonly path: readonly string[]; readonly text: string; readonly value: string }>
> = {
  host: { path: ["server", "host"], text: "address to listen on", value: "<host>" },
  port: { path: ["server", "port"], text: "port to listen on", value: "<port>" },
  "node-id": { path: ["node", "id"], text: "this node's id; default: the host name", value: "<id>" },
  address: { path: ["node", "address"], text: "where other nodes reach this one", value: "<host:port>" },
  redis: { path: ["redis", "url"], text: "where Redis is", value: "<redis://…>" },
  patterns: { path: ["patterns", "directory"], text: "directory of patterns", value: "<directory>" },
  "log-level": { path: ["log", "level"], text: "debug, info, warn or error", value: "<level>" },
  "log-format": { path: ["log", "format"], text: "json or pretty", value: "<format>" },
};

interface StartOptions {
  readonly config?: string;
  readonly ha?: boolean;
  readonly [flag: string]: unknown;
}

/** `parallax start` */
export const registerStart: RegisterCommand = (parent, { io }) => {
  const command = parent
    .command("start")
    .description("run a node of the control plane")
    .option(
      "-c, --config <file>",
      "configuration file; default: PARALLAX_CONFIG, else parallax.config.yaml if it is there",
    )
    .option("--ha", "be one of several nodes on one Redis");
  for (const [name, { text, value }] of Object.entries(flags)) command.option(`--${name} ${value}`, text);
  command
    .addHelpText(
      "after",
      "\nExample:\n  $ parallax start --ha --redis redis://localhost:6379 --node-id node-0 --port 8080",
    )
    .action(async (options: StartOptions) => {
      // A node is a lot to load, and the other commands need none of it.
      const { start } = await import("./run-start.ts");
      await start({ file: options.config, environment: io.env, flags: settingsOf(options) });
    });
};

function settingsOf(options: StartOptions): Setting[] {
  const given = Object.entries(flags).flatMap(([flag, { path }]) => {
    const value = options[flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
    return value === undefined ? [] : [{ path, value, origin: { source: "flag" as const, flag } }];
  });
  const ha = options.ha
    ? [
        {
          path: ["highAvailability", "enabled"],
          value: true,
          origin: { source: "flag" as const, flag: "ha" },
        },
      ]
    : [];
  return [...given, ...ha];
}
