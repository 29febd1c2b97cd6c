import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ParallaxError } from "@parallax/core";
import { type PatternDefinition, patternDefinitionSchema } from "@parallax/protocol";
import { parse } from "yaml";

/**
 * The patterns of a directory: every `.yaml` and `.yml` in it. A directory that is not there has none.
 * @throws ParallaxError `invalid_pattern` naming every file that is wrong, and what is wrong with it.
 */
export async function readPatterns(directory: string): Promise<readonly PatternDefinition[]> {
  if (!existsSync(directory)) return [];
  const files = (await readdir(directory)).filter((file) => /\.ya?ml$/.test(file)).sort();
  const read = await Promise.all(files.map((file) => readPattern(join(directory, file))));
  const problems = read.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  if (problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem}`);
    throw new ParallaxError(
      "invalid_pattern",
      ["reading patterns: correct the following", ...lines].join("\n"),
    );
  }
  return read.flatMap(({ definition }) => (definition ? [definition] : []));
}

async function readPattern(file: string): Promise<{ definition?: PatternDefinition; problem?: string }> {
  let content: unknown;
  try {
    content = parse(await readFile(file, "utf8"));
  } catch (error) {
    return { problem: `${file}: ${error instanceof Error ? error.message : "it can't be read"}` };
  }
  const parsed = patternDefinitionSchema.safeParse(content);
  if (parsed.success) return { definition: parsed.data };
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`,
  );
  return { problem: `${file}: ${issues.join("; ")}` };
}
