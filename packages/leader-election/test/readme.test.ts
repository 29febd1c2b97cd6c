import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";

const copy = join(import.meta.dirname, "readme-snippet.gen.ts");

afterEach(() => rm(copy, { force: true }));

it("the first snippet of the README runs as it stands, and ends by itself", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const [, snippet = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  await writeFile(copy, `${snippet}\nexport {};\n`);
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  await import(copy);
  log.mockRestore();
  const leaders = lines.filter((line) => line.includes("leads")).map((line) => line.split(" ")[0]);
  expect(leaders).toHaveLength(2);
  expect(new Set(leaders).size).toBe(2);
  expect(lines.filter((line) => line.includes("ends: still holding the lease"))).toHaveLength(2);
});
