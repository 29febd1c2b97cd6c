import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";

const copy = join(import.meta.dirname, "readme-snippet.gen.ts");

afterEach(() => rm(copy, { force: true }));

it("the first snippet of the README runs as it stands, and prints what it says", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const [, snippet = "", output = ""] =
    /```ts\n([\s\S]*?)```[\s\S]*?```text\n([\s\S]*?)```/.exec(readme) ?? [];
  await writeFile(copy, snippet);
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  await import(copy);
  log.mockRestore();
  expect(lines.join("\n")).toBe(output.trim());
});
