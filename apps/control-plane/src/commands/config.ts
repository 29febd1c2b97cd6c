import type { CliContext, RegisterCommand } from "@parallax/cli";
import { isParallaxError } from "@parallax/core";
import type { ConfigProblem, LoadedConfig } from "../config/load.ts";
import type { Origin } from "../config/sources.ts";

interface ConfigOptions {
  readonly config?: string;
}

/** `parallax config check`, `show` and `schema` */
export const registerConfig: RegisterCommand = (parent, context) => {
  const group = parent
    .command("config")
    .description("check and show the configuration of a node")
    .addHelpText("after", "\nExample:\n  $ parallax config check");
  const file = "configuration file; default: PARALLAX_CONFIG, else parallax.config.yaml if it is there";
  group
    .command("check")
    .description("say everything that is wrong with the configuration, and what would be right")
    .option("-c, --config <file>", file)
    .addHelpText("after", "\nExample:\n  $ parallax config check --config parallax.config.yaml")
    .action((options: ConfigOptions) => check(context, options));
  group
    .command("show")
    .description("show every key with the value in force and where it comes from, secrets hidden")
    .option("-c, --config <file>", file)
    .addHelpText("after", "\nExample:\n  $ PARALLAX_PORT=9000 parallax config show")
    .action((options: ConfigOptions) => show(context, options));
  group
    .command("schema")
    .description("print the JSON Schema of parallax.config.yaml, for editors")
    .addHelpText("after", "\nExample:\n  $ parallax config schema > parallax.config.schema.json")
    .action(async () => {
      const { configJsonSchema } = await import("../config/reference.ts");
      context.io.out(JSON.stringify(configJsonSchema(), undefined, 2));
    });
};

async function load({ io }: CliContext, { config }: ConfigOptions): Promise<LoadedConfig> {
  const { loadConfig } = await import("../config/load.ts");
  return loadConfig({ file: config, environment: io.env });
}

async function check(context: CliContext, options: ConfigOptions): Promise<void> {
  try {
    const { file = null, notes } = await load(context, options);
    context.print({ ok: true, file, notes, problems: [] }, () =>
      [`${file ?? "The environment (there is no file)"}: nothing is wrong`, ...notes].join("\n"),
    );
  } catch (error) {
    if (!isParallaxError(error, "invalid_config")) throw error;
    const problems = Array.isArray(error.details?.problems) ? error.details.problems : [];
    // For people the error itself is the answer.
    if (context.globals().json)
      context.print(
        { ok: false, problems: problems.map(jsonOf), message: error.message },
        ({ message }) => message,
      );
    throw error;
  }
}

function jsonOf({ path, origin, message }: ConfigProblem): object {
  return { path, ...(origin === undefined ? {} : { origin }), message };
}

async function show(context: CliContext, options: ConfigOptions): Promise<void> {
  const { config, notes, originOf } = await load(context, options);
  const { shownSettings } = await import("../config/settings.ts");
  const settings = shownSettings(config).map(({ key, value }) => ({
    path: key.path.join("."),
    value: value ?? null,
    origin: originText(originOf(key.path), value),
  }));
  const table = await context.table(
    ["Key", "Value", "From"],
    settings.map(({ path, value, origin }) => [path, value ?? "-", origin]),
  );
  context.print({ settings, notes }, () => [table, ...notes].join("\n"));
}

function originText(origin: Origin | undefined, value: string | undefined): string {
  switch (origin?.source) {
    case "file":
      return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
    case "environment":
      return origin.variable;
    case "flag":
      return `--${origin.flag}`;
    case undefined:
      return value === undefined ? "not set" : "default";
  }
}
