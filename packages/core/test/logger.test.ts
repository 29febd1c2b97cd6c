import { afterEach, describe, expect, it, vi } from "vitest";
import { consoleLogger, noopLogger } from "../src/logger.ts";

afterEach(() => vi.restoreAllMocks());

describe("the console logger", () => {
  it("writes message and facts at each level, with those of its ancestors", () => {
    const lines: unknown[] = [];
    for (const level of ["debug", "info", "warn", "error"] as const)
      vi.spyOn(console, level).mockImplementation((...args) => void lines.push([level, ...args]));
    const logger = consoleLogger({ node: "a" }).child({ part: "lease" });
    logger.debug("one");
    logger.info("two", { term: 1 });
    logger.warn("three", { part: "other" });
    logger.error("four");
    expect(lines).toEqual([
      ["debug", "one", { node: "a", part: "lease" }],
      ["info", "two", { node: "a", part: "lease", term: 1 }],
      ["warn", "three", { node: "a", part: "other" }],
      ["error", "four", { node: "a", part: "lease" }],
    ]);
  });
});

it("the logger of those who want none says nothing, nor do its children", () => {
  const spy = vi.spyOn(console, "error").mockImplementation(() => {});
  noopLogger.child({ a: 1 }).error("unheard");
  expect(spy).not.toHaveBeenCalled();
});
