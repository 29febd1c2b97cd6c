import type { Logger } from "@parallax/core";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** Plays one history and tells it. */
export async function storyOf(
  seed: number,
): Promise<{ readonly lines: readonly string[]; readonly broken: boolean }> {
  const lines: string[] = [];
  const scenario = scenarioOf(seed);
  const { broken } = await simulate(scenario, new Map(), { tell: (line) => lines.push(line) });
  lines.push(...(broken.length === 0 ? ["every promise was kept"] : broken.map((what) => `BROKEN ${what}`)));
  return { lines, broken: broken.length > 0 };
}

/** Writes what a node logs as lines of a story. */
export function storyLogger(tell: (line: string) => void): Logger {
  const write =
    (level: string) =>
    (message: string, fields: object = {}): void =>
      tell(`${level} ${message} ${JSON.stringify(fields, textOf)}`);
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => logger,
  };
  return logger;
}

function textOf(_: string, value: unknown): unknown {
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
