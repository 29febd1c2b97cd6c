import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createProgram, runProgram } from "@parallax/cli";
import { describe, expect, it } from "vitest";
import { registerConfig } from "../../src/commands/config.ts";
import { registerDev } from "../../src/commands/dev.ts";
import { registerStart } from "../../src/commands/start.ts";

const root = join(import.meta.dirname, "../../../..");
const commands = [registerStart, registerDev(new URL("file:///bin")), registerConfig];
type Command = ReturnType<typeof createProgram>;
type Io = NonNullable<NonNullable<Parameters<typeof createProgram>[0]>["io"]>;

/** The words of each `parallax` that a page's code blocks have, to its first comment, pipe or redirection. */
function commandsOf(page: string): string[] {
  const blocks = [...page.matchAll(/^ *```(?:sh|bash|console)?\n([\s\S]*?)^ *```$/gm)].map(
    ([, block = ""]) => block,
  );
  const line = /^ *(?:\$ )?(?:[A-Z_]+=\S* )*(?:npx )?parallax ([^#|>\n]+)/gm;
  return blocks.flatMap((block) => [...block.matchAll(line)].map(([, words = ""]) => words.trim()));
}

/** What of the words the program does not have; empty if it has all. */
function unknownOf(program: Command, words: readonly string[]): string[] {
  let command = program;
  const unknown: string[] = [];
  for (const [index, word] of words.entries()) {
    const next = command.commands.find((each) => each.name() === word);
    const options = [...command.options, ...program.options];
    const before = options.find(({ long, short }) => [long, short].includes(words[index - 1]));
    if (next) command = next;
    else if (word.startsWith("-")) {
      const [name] = word.split("=");
      if (!options.some(({ long, short }) => long === name || short === name)) unknown.push(word);
    } else if (!before?.required && command.registeredArguments.length === 0) unknown.push(word);
  }
  return unknown;
}

const pages = ["README.md", "docs", "deploy", "packages", "apps", "examples"]
  .flatMap((place) => (place.endsWith(".md") ? [place] : markdownIn(place)))
  .map((path) => ({ path, commands: commandsOf(readFileSync(join(root, path), "utf8")) }))
  .filter((page) => page.commands.length > 0);

function markdownIn(place: string): string[] {
  return readdirSync(join(root, place), { recursive: true, encoding: "utf8" })
    .map((path) => join(place, path))
    .filter((path) => path.endsWith(".md") && !path.includes("node_modules"));
}

describe("every command in a page", () => {
  it("is found, in the pages of operations above all", () => {
    expect(pages.map(({ path }) => path)).toContain("docs/operations/scaling.md");
  });

  it.each(pages)(
    "of $path is one that the program has, with the options that it has",
    ({ commands: typed }) => {
      const program = createProgram({ commands });
      const wrong = typed.flatMap((line) =>
        unknownOf(program, line.split(/\s+/)).map((word) => `parallax ${line}: ${word}`),
      );
      expect(wrong).toEqual([]);
    },
  );
});

describe("every command of the node's own", () => {
  const leaves = (command: Command): readonly Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const paths = leaves(createProgram({ commands })).map((leaf) => {
    const path: string[] = [];
    for (let at: Command | null = leaf; at; at = at.parent) path.unshift(at.name());
    return path.slice(1);
  });

  it.each(paths.map((path) => [path.join(" "), path] as const))(
    "%s --help shows an example",
    async (_, path) => {
      const out: string[] = [];
      const io: Io = {
        out: (line) => void out.push(line),
        err: (line) => void out.push(line),
        isTty: false,
        env: {},
        readStdin: async () => "",
        readFile: async () => "",
        signal: new AbortController().signal,
      };
      expect(await runProgram(createProgram({ commands, io }), [...path, "--help"], io)).toBe(0);
      expect(out.join("\n")).toMatch(
        new RegExp(`Example:\\n +\\$ (?:[A-Z_]+=\\S+ )?parallax .*${path.at(-1)}`),
      );
    },
  );
});
