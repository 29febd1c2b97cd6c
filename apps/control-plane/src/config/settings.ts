import { createHash } from "node:crypto";
import { formatDuration } from "@parallax/core";
import { type ConfigKey, configKeys } from "./keys.ts";
import type { Config } from "./schema.ts";

/** One key with the value that is in force, as text. */
export interface ShownSetting {
  readonly key: ConfigKey;
  /** Undefined where nothing is set and there is no default. Secrets are hidden. */
  readonly value: string | undefined;
}

/** Every key with its value, secrets hidden. */
export function shownSettings(config: Config): ShownSetting[] {
  return configKeys().map((key) => {
    const value = valueAt(config, key);
    if (value === undefined) return { key, value };
    return { key, value: key.secret ? hidden(value) : withoutPassword(textOf(value, key)) };
  });
}

/** What has to be the same on all nodes of a cluster, for comparing them: secrets as digests, what is each node's own left out. */
export function sharedSettings(config: Config): Record<string, string> {
  const shared = configKeys().filter(({ path: [section, name] }) => !isOwn(section, name));
  return Object.fromEntries(
    shared.flatMap((key) => {
      const value = valueAt(config, key);
      if (value === undefined) return [];
      const text = textOf(value, key);
      return [[key.path.join("."), key.secret || withoutPassword(text) !== text ? digest(text) : text]];
    }),
  );
}

/** Each node's own, or without an effect on others: where it is, whether it may lead, how it writes its log. */
function isOwn(section: string | undefined, name: string | undefined): boolean {
  if (section === "node" || section === "log" || section === "patterns") return true;
  return section === "server" && (name === "host" || name === "port");
}

function valueAt(config: Config, { path }: ConfigKey): unknown {
  let value: unknown = config;
  for (const [index, name] of path.entries()) {
    if (typeof value !== "object" || value === null) return undefined;
    // Durations of some sections are renamed after their unit.
    const named = index === path.length - 1 && !(name in value) ? `${name}Ms` : name;
    value = Reflect.get(value, named);
  }
  return value;
}

function textOf(value: unknown, { kind }: ConfigKey): string {
  if (typeof value === "number" && kind === "duration") return formatDuration(value);
  if (typeof value === "number" && kind === "size") return formatSize(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A size as configuration writes it. */
export function formatSize(bytes: number): string {
  const units = [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const;
  const unit = units.find(([, size]) => bytes >= size && bytes % size === 0);
  return unit ? `${bytes / unit[1]}${unit[0]}` : `${bytes}B`;
}

function hidden(value: unknown): string {
  if (!Array.isArray(value)) return "(hidden)";
  return value.length === 0 ? "[]" : `(${value.length} hidden)`;
}

function withoutPassword(text: string): string {
  return text.replace(/^(rediss?:\/\/[^:@/]*):[^@]*@/, "$1:(hidden)@");
}

function digest(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}
