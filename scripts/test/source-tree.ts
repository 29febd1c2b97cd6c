import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory with these files in it, removed when the test ends. */
export function sourceTree(files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), "parallax-tree-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), source);
  }
  return directory;
}
