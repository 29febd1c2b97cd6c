import type { Logger } from "@parallax/core";
import { createListeners, noopLogger } from "@parallax/core";
import type { ElectionEvent } from "@parallax/leader-election";
import { expect, it } from "vitest";
import { logLeaders } from "../../src/observe/log-leaders.ts";

function start() {
  const lines: unknown[] = [];
  const write = (level: string) => (message: string, fields?: object) =>
    lines.push([level, message, fields ?? {}]);
  const logger: Logger = { ...noopLogger, info: write("info"), warn: write("warn") };
  const election = createListeners<ElectionEvent>(() => {});
  logLeaders({ nodeId: "node-0", election, logger });
  return { lines, election };
}

it("writes one line for each change of leadership, and leaves this node's own to the election", () => {
  const { lines, election } = start();
  election.emit({ type: "leader", leader: { nodeId: "node-1", incarnation: "i", term: 7 } });
  election.emit({ type: "leader", leader: undefined });
  election.emit({ type: "leader", leader: { nodeId: "node-0", incarnation: "i", term: 8 } });
  election.emit({ type: "elected", term: 8 });
  election.emit({ type: "leader", leader: undefined });
  election.emit({ type: "store-changed", term: 8 });
  expect(lines).toEqual([
    ["info", "another node leads", { leader: "node-1", term: 7 }],
    ["warn", "nobody leads", {}],
    ["warn", "redis has failed over, or was restarted", { term: 8 }],
  ]);
});
