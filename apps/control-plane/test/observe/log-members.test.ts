import { createListeners } from "@parallax/core";
import type { MembershipEvent } from "@parallax/membership";
import { expect, it } from "vitest";
import { logMembers } from "../../src/observe/log-members.ts";
import { keepingLogger } from "../support/log-lines.ts";

const about = { member: "node-1", incarnation: "i", epoch: "e", version: 7 } as const;

it.each<[MembershipEvent, string, string]>([
  [{ type: "joined", ...about }, "info", "member joined"],
  [{ type: "suspected", ...about }, "info", "member suspected"],
  [{ type: "recovered", ...about }, "info", "member recovered"],
  [{ type: "failed", ...about }, "warn", "member failed"],
  [{ type: "draining", ...about }, "info", "member drains"],
  [{ type: "left", ...about }, "info", "member left"],
  [{ type: "removed", ...about }, "info", "member removed"],
  [{ type: "replaced", ...about }, "info", "member replaced by a newer process"],
])("writes one line for %o", (event, level, message) => {
  const { logger, lines } = keepingLogger();
  const events = createListeners<MembershipEvent>(() => {});
  logMembers({ membership: events, logger });
  events.emit(event);
  expect(lines).toEqual([{ level, message, fields: { member: "node-1", version: 7 } }]);
});

it("tells of this node's own standing, too", () => {
  const { logger, lines } = keepingLogger();
  const events = createListeners<MembershipEvent>(() => {});
  const end = logMembers({ membership: events, logger });
  events.emit({ type: "cut-off" });
  events.emit({ type: "back" });
  events.emit({ type: "reset", epoch: "e", version: 1 });
  events.emit({ type: "ended", incarnation: "i", reason: "failed", by: undefined });
  end();
  events.emit({ type: "back" });
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "warn cut off from the cluster: its beats are not acknowledged",
    "info back in the cluster",
    "warn the members were lost by the store; they join anew",
    "warn this node's membership has ended; it joins anew",
  ]);
});
