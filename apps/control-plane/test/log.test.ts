import { ParallaxError } from "@parallax/core";
import { expect, it } from "vitest";
import { createLogger } from "../src/log.ts";

function start(format: "json" | "pretty" = "json") {
  const lines: string[] = [];
  const logger = createLogger(
    { level: "info", format },
    { node: "node-0" },
    { write: (line) => lines.push(line) },
  );
  return { logger, lines };
}

it("writes one JSON object a line, with the node, the facts and what an error is about", () => {
  const { logger, lines } = start();
  logger
    .child({ execution: "exec_1" })
    .warn("it failed", { error: new ParallaxError("gone", "looking: it is gone") });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      level: 40,
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      node: "node-0",
      execution: "exec_1",
      error: "looking: it is gone",
      code: "gone",
      message: "it failed",
    },
  ]);
});

it("changes its level while it runs, that of loggers made before included", () => {
  const { logger, lines } = start();
  const child = logger.child({});
  child.debug("not yet");
  logger.setLevel("debug");
  child.debug("now");
  logger.setLevel("error");
  child.warn("not any more");
  expect(logger.level()).toBe("error");
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(["now"]);
});
