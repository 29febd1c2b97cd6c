import { readFileSync } from "node:fs";
import { ParallaxError } from "@parallax/core";
import { isMap, LineCounter, parseDocument } from "yaml";

/** Where a value came from, for errors and for `config show`. */
export type Origin =
  | { readonly source: "file"; readonly file: string; readonly line: number | undefined }
  | { readonly source: "environment"; readonly variable: string }
  | { readonly source: "flag"; readonly flag: string };

/** A raw value at a path of the configuration. */
export interface Setting {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly origin: Origin;
}

/** A YAML file and where its keys stand. */
export interface ConfigFile {
  readonly content: Readonly<Record<string, unknown>>;
  /** The origin of a path, or of the nearest key above it that is there. */
  originOf(path: readonly PropertyKey[]): Origin;
}

/** @throws ParallaxError `invalid_config` when the file can't be read or is no YAML mapping. */
export function readConfigFile(file: string): ConfigFile {
  const lines = new LineCounter();
  // Pretty errors quote the file, and with it perhaps a password.
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) {
    const { line } = lines.linePos(broken.pos[0]);
    const message = `reading ${file}:${line}: this is no YAML: ${broken.message}`;
    throw new ParallaxError("invalid_config", message, { cause: broken });
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ParallaxError(
      "invalid_config",
      `reading ${file}: write a mapping of keys to values at its top`,
    );
  }
  const content: Record<string, unknown> = document.toJS() ?? {};

  function lineOf(path: readonly PropertyKey[]): number | undefined {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
      const pair = isMap(parent)
        ? parent.items.find((item) => String(item.key) === String(path[depth - 1]))
        : undefined;
      const range =
        pair && typeof pair.key === "object" && pair.key !== null && "range" in pair.key
          ? pair.key.range
          : undefined;
      if (Array.isArray(range)) return lines.linePos(Number(range[0])).line;
    }
    return undefined;
  }

  return { content, originOf: (path) => ({ source: "file", file, line: lineOf(path) }) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ParallaxError(
      "invalid_config",
      `reading ${file}: the file can't be read; check --config and PARALLAX_CONFIG`,
      {
        cause: error,
      },
    );
  }
}

/** What each environment variable sets. A variable with `_FILE` behind its name names a file that holds the value. */
export const variables: Readonly<Record<string, readonly string[]>> = {
  PARALLAX_HA_ENABLED: ["highAvailability", "enabled"],
  PARALLAX_HA_CLUSTER_ID: ["highAvailability", "clusterId"],
  PARALLAX_HA_LEASE_DURATION: ["highAvailability", "leaderElection", "leaseDuration"],
  PARALLAX_REDIS_URL: ["redis", "url"],
  PARALLAX_REDIS_USERNAME: ["redis", "username"],
  PARALLAX_REDIS_PASSWORD: ["redis", "password"],
  PARALLAX_REDIS_CA_FILE: ["redis", "tls", "caFile"],
  PARALLAX_NODE_ID: ["node", "id"],
  PARALLAX_ADVERTISE_ADDRESS: ["node", "address"],
  PARALLAX_NODE_ZONE: ["node", "zone"],
  PARALLAX_HOST: ["server", "host"],
  PARALLAX_PORT: ["server", "port"],
  PARALLAX_DRAIN_TIMEOUT: ["server", "drainTimeout"],
  PARALLAX_TERMINATION_GRACE: ["server", "terminationGrace"],
  PARALLAX_API_TOKEN: ["server", "auth", "tokens"],
  PARALLAX_LOG_LEVEL: ["log", "level"],
  PARALLAX_LOG_FORMAT: ["log", "format"],
};
/** Those that may come from files, too. */
export const secretVariables: readonly string[] = [
  "PARALLAX_API_TOKEN",
  "PARALLAX_REDIS_URL",
  "PARALLAX_REDIS_PASSWORD",
];

type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment sets, and which of its files can't be read. Empty variables count as absent. */
export interface EnvironmentSettings {
  readonly settings: readonly Setting[];
  readonly unreadable: readonly {
    readonly path: readonly string[];
    readonly origin: Origin;
    readonly file: string;
  }[];
}

export function readEnvironment(environment: Environment): EnvironmentSettings {
  const settings: Setting[] = [];
  const unreadable: EnvironmentSettings["unreadable"][number][] = [];
  for (const [variable, path] of Object.entries(variables)) {
    const fileVariable = `${variable}_FILE`;
    const file = secretVariables.includes(variable) ? environment[fileVariable] : undefined;
    const given = environment[variable];
    if (given) settings.push(settingOf(variable, path, variable, given));
    else if (file) {
      const text = tryReadText(file);
      if (text === undefined)
        unreadable.push({ path, origin: { source: "environment", variable: fileVariable }, file });
      else settings.push(settingOf(variable, path, fileVariable, text.trim()));
    }
  }
  return { settings, unreadable };
}

function settingOf(variable: string, path: readonly string[], shownAs: string, text: string): Setting {
  const value = variable === "PARALLAX_API_TOKEN" ? parseTokens(text) : text;
  return { path, value, origin: { source: "environment", variable: shownAs } };
}

function tryReadText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** `role:token,role:token`; a bare token is an admin's. */
export function parseTokens(text: string): { token: string; role: string }[] {
  const entries = text.split(/[,\n]/).map((entry) => entry.trim());
  return entries.filter(Boolean).map((entry) => {
    const [, role, token] = /^(api|agent|admin):(.+)$/.exec(entry) ?? [];
    return role && token ? { token, role } : { token: entry, role: "admin" };
  });
}
