import { existsSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { ParallaxError } from "@parallax/core";
import type { z } from "zod";
import { keysBelow } from "./keys.ts";
import { type Config, configSchema } from "./schema.ts";
import { type ConfigFile, type Origin, readConfigFile, readEnvironment, type Setting } from "./sources.ts";
import { nearest } from "./spelling.ts";

const defaultFile = "parallax.config.yaml";

/** Where the configuration comes from. */
export interface LoadOptions {
  /** `--config`. Default: `PARALLAX_CONFIG`, else `parallax.config.yaml` in the working directory, if it is there. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From command-line flags; they beat the environment, which beats the file. */
  readonly flags?: readonly Setting[];
}

/** One thing that is wrong. */
export interface ConfigProblem {
  readonly path: string;
  readonly origin: Origin | undefined;
  readonly message: string;
}

/** What was read: the configuration, and what to tell the operator though it is no error. */
export interface LoadedConfig {
  readonly config: Config;
  readonly notes: readonly string[];
  readonly file: string | undefined;
  /** Who said what a key is. Undefined where it has its default. */
  originOf(path: readonly string[]): Origin | undefined;
}

/**
 * Reads and checks the configuration.
 * @throws ParallaxError `invalid_config` that lists every problem with its path, its place and what would be right.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  // An empty variable counts as absent.
  const named = options.file ?? (options.environment.PARALLAX_CONFIG || undefined);
  const path = named ?? (existsSync(defaultFile) ? defaultFile : undefined);
  const file = path === undefined ? undefined : readConfigFile(path);
  const environment = readEnvironment(options.environment);
  const settings = [...environment.settings, ...(options.flags ?? [])];
  const { raw, notes: merged } = merge(file, settings);
  const notes = [...environment.notes, ...merged];
  const apart = [
    ...findMisplacedRedis(raw, file),
    ...findTwoRedis(raw, file),
    ...environment.wrong.map((found) => ({ ...found, path: found.path.join(".") })),
  ];

  const parsed = configSchema.safeParse(raw, { error: wrongType });
  const originOf = (key: readonly string[]): Origin | undefined =>
    isSet(raw, key) ? originOfPath(key, file, settings) : undefined;
  if (parsed.success && apart.length === 0) return { config: parsed.data, notes, file: path, originOf };
  const found = parsed.success
    ? []
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, file, settings));
  // What is said of it apart is not said twice.
  const said = new Set(apart.map((problem) => problem.path));
  const problems = [...apart, ...found.filter((problem) => !said.has(problem.path))].sort(
    (one, other) => lineOf(one) - lineOf(other),
  );
  throw new ParallaxError("invalid_config", describe(problems), { details: { problems } });
}

/** In the order of the file; what comes from elsewhere is told after it. */
function lineOf({ origin }: ConfigProblem): number {
  return origin?.source === "file" ? (origin.line ?? 0) : Number.MAX_SAFE_INTEGER;
}

/** Words for what a key of one type was given of another. */
function wrongType(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "invalid_type") return undefined;
  if (issue.expected === "object") return "write keys and their values below it, or remove it";
  if (issue.expected === "array") return "write a list, such as [one, two]";
  return issue.input === undefined ? "is missing; write it" : `write a ${issue.expected}`;
}

function isSet(raw: Raw, path: readonly string[]): boolean {
  let value: unknown = raw;
  for (const key of path) value = isRecord(value) ? value[key] : undefined;
  return value !== undefined;
}

type Raw = Record<string, unknown>;

function merge(file: ConfigFile | undefined, settings: readonly Setting[]): { raw: Raw; notes: string[] } {
  const raw: Raw = structuredClone(file?.content ?? {});
  const notes: string[] = [];
  for (const { path, value } of settings) {
    // A URL from outside replaces whatever the file says about where Redis is.
    if (path.join(".") === "redis.url")
      for (const key of ["cluster", "sentinel"]) remove(raw, ["redis", key]);
    set(raw, path, value);
  }
  const redis = raw.redis;
  if (isRecord(redis) && redis.url !== undefined && (redis.cluster ?? redis.sentinel) !== undefined) {
    notes.push(
      `redis.url is ignored, for redis.${redis.cluster === undefined ? "sentinel" : "cluster"} stands beside it`,
    );
    remove(raw, ["redis", "url"]);
  }
  return { raw, notes };
}

function isRecord(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function set(target: Raw, [key = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const child = target[key];
  const next: Raw = isRecord(child) ? child : {};
  target[key] = next;
  set(next, rest, value);
}

function remove(target: Raw, [key = "", ...rest]: readonly string[]): void {
  const child = target[key];
  if (rest.length === 0) delete target[key];
  else if (isRecord(child)) remove(child, rest);
}

/** `redis` stands beside `highAvailability`; below it is a common slip that deserves its own words. */
function findMisplacedRedis(raw: Raw, file: ConfigFile | undefined): ConfigProblem[] {
  const { highAvailability } = raw;
  if (!isRecord(highAvailability) || !("redis" in highAvailability)) return [];
  const origin = file?.originOf(["highAvailability", "redis"]);
  return [
    {
      path: "highAvailability.redis",
      origin,
      message: "move `redis` to the top level, beside `highAvailability`",
    },
  ];
}

/** Said apart, so that it is said whatever else is wrong with either. */
function findTwoRedis({ redis }: Raw, file: ConfigFile | undefined): ConfigProblem[] {
  if (!isRecord(redis) || redis.cluster === undefined || redis.sentinel === undefined) return [];
  const message = "can't stand beside redis.cluster; keep the one that your Redis is";
  return [{ path: "redis.sentinel", origin: file?.originOf(["redis", "sentinel"]), message }];
}

function problemsOf(
  issue: z.core.$ZodIssue,
  file: ConfigFile | undefined,
  settings: readonly Setting[],
): ConfigProblem[] {
  const paths =
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  return paths.map((path) => ({
    path: path.join("."),
    origin: originOfPath(path, file, settings),
    message: issue.code === "unrecognized_keys" ? unknownKey(path) : issue.message,
  }));
}

function unknownKey(path: readonly PropertyKey[]): string {
  const known = keysBelow(path.slice(0, -1));
  const meant = nearest(String(path.at(-1)), known);
  if (meant !== undefined)
    return `there is no such key; write ${meant}, if that is what it means, or remove it`;
  return `there is no such key; remove it, or use one of ${known.join(", ")}`;
}

function originOfPath(
  path: readonly PropertyKey[],
  file: ConfigFile | undefined,
  settings: readonly Setting[],
): Origin | undefined {
  const text = path.join(".");
  const setting = settings.findLast((candidate) => `${text}.`.startsWith(`${candidate.path.join(".")}.`));
  return setting?.origin ?? file?.originOf(path);
}

function describe(problems: readonly ConfigProblem[]): string {
  const lines = problems.map(
    ({ path, origin, message }) => `  ${place(origin)}${path || "the file"}: ${message}`,
  );
  return ["reading the configuration: correct the following", ...lines].join("\n");
}

function place(origin: Origin | undefined): string {
  switch (origin?.source) {
    case undefined:
      return "";
    case "file":
      return origin.line === undefined ? `${origin.file}: ` : `${origin.file}:${origin.line}: `;
    case "environment":
      return `${origin.variable}: `;
    case "flag":
      return `--${origin.flag}: `;
  }
}

/** What this machine answers for what the configuration leaves open. */
export function nodeIdOf(config: Config): string {
  return config.node.id ?? hostname();
}

/** Where the server listens: everywhere only if it asks for tokens. */
export function hostOf(config: Config): string {
  return config.server.host ?? (config.server.auth.tokens.length > 0 ? "0.0.0.0" : "127.0.0.1");
}

/** Where others reach this node: as configured, else the first address that is not this machine's own, and the port. */
export function addressOf(config: Config, port: number): string {
  if (config.node.address !== undefined) return config.node.address;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const outside = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
  return `${outside?.address ?? "127.0.0.1"}:${port}`;
}
