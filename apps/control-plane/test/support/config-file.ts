import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isParallaxError } from "@parallax/core";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { type LoadedConfig, type LoadOptions, loadConfig } from "../../src/config/load.ts";

/** Writes a file that is gone after the test, and returns its path. */
export function temporaryFile(name: string, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), "parallax-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

/** A configuration read from YAML, and whatever else is given. */
export function load(yaml: string, rest: Partial<LoadOptions> = {}): LoadedConfig {
  return loadConfig({ environment: {}, file: temporaryFile("parallax.config.yaml", yaml), ...rest });
}

const problemsSchema = z.array(
  z.object({ path: z.string(), message: z.string(), origin: z.looseObject({}).optional() }),
);

/** What a refused configuration says: its text, and its problems as `line path: message`. */
export interface Refusal {
  readonly message: string;
  readonly problems: readonly string[];
}

/** Loads what has to be refused. */
export function refusal(yaml: string, rest: Partial<LoadOptions> = {}): Refusal {
  try {
    load(yaml, rest);
  } catch (error) {
    if (!isParallaxError(error, "invalid_config")) throw error;
    const problems = problemsSchema.parse(error.details?.problems ?? []);
    return {
      message: error.message,
      problems: problems.map(({ path, message, origin }) => {
        const place = origin?.line ?? origin?.variable ?? origin?.flag ?? "-";
        return `${String(place)} ${path}: ${message}`;
      }),
    };
  }
  throw new Error("the configuration was not refused");
}
