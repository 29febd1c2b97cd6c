import { readFileSync } from "node:fs";
import { errorMessage, ParallaxError } from "@parallax/core";
import { isMap, LineCounter, parseDocument } from "yaml";
import { nearest } from "./spelling.ts";

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
  const content = contentOf(document, file);

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

function contentOf(document: ReturnType<typeof parseDocument>, file: string): Record<string, unknown> {
  try {
    return document.toJS() ?? {};
  } catch (cause) {
    // An alias without its anchor, or too many of them.
    throw new ParallaxError("invalid_config", `reading ${file}: this is no YAML: ${errorMessage(cause)}`, {
      cause,
    });
  }
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
  // Before the URL, which takes the place of all Sentinels.
  PARALLAX_REDIS_SENTINEL_PASSWORD: ["redis", "sentinel", "password"],
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
  "PARALLAX_REDIS_SENTINEL_PASSWORD",
];
/** Those that are read elsewhere. */
const otherVariables = ["PARALLAX_CONFIG", "PARALLAX_URL", "PARALLAX_TOKEN"];

type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment sets, and what is wrong with it. Empty variables count as absent. */
export interface EnvironmentSettings {
  readonly settings: readonly Setting[];
  readonly wrong: readonly {
    readonly path: readonly string[];
    readonly origin: Origin;
    readonly message: string;
  }[];
  /** Variables that nobody reads and that look like a slip. Others may be Kubernetes', of a Service named `parallax`. */
  readonly notes: readonly string[];
}

export function readEnvironment(environment: Environment): EnvironmentSettings {
  const settings: Setting[] = [];
  const wrong: EnvironmentSettings["wrong"][number][] = [];
  for (const [variable, path] of Object.entries(variables)) {
    const fileVariable = `${variable}_FILE`;
    const file = secretVariables.includes(variable) ? environment[fileVariable] : undefined;
    const given = environment[variable];
    const shownAs = given ? variable : fileVariable;
    const origin: Origin = { source: "environment", variable: shownAs };
    const text = given || (file ? tryReadText(file)?.trim() : "");
    if (text === undefined) {
      wrong.push({
        path,
        origin,
        message: `the file ${file} can't be read; check the path and who may read it`,
      });
    } else if (file && text === "") {
      // No tokens would let everybody in.
      wrong.push({ path, origin, message: `the file ${file} is empty; write the value into it` });
    } else if (variable === "PARALLAX_API_TOKEN" && text !== "" && parseTokens(text).length === 0) {
      wrong.push({ path, origin, message: "there is no token in it; write role:token,role:token" });
    } else if (text !== "") {
      settings.push({ path, value: variable === "PARALLAX_API_TOKEN" ? parseTokens(text) : text, origin });
    }
  }
  return { settings, wrong, notes: slipsIn(environment) };
}

function slipsIn(environment: Environment): string[] {
  const known = [
    ...Object.keys(variables),
    ...secretVariables.map((name) => `${name}_FILE`),
    ...otherVariables,
  ];
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith("PARALLAX_") && !known.includes(name),
  );
  return unknown.flatMap((name) => {
    const meant = nearest(name, known);
    return meant === undefined ? [] : [`${name} is read by nobody; write ${meant}, if that is what it means`];
  });
}

function tryReadText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** `role:token,role:token`; a bare token, which has no colon, is an admin's. Whether there is such a role the schema says. */
export function parseTokens(text: string): { token: string; role: string }[] {
  const entries = text.split(/[,\n]/).map((entry) => entry.trim());
  return entries.filter(Boolean).map((entry) => {
    const colon = entry.indexOf(":");
    return colon < 0
      ? { role: "admin", token: entry }
      : { role: entry.slice(0, colon), token: entry.slice(colon + 1) };
  });
}
