import type { HaStatus } from "@parallax/protocol";
import type { Colors } from "picocolors/types.js";
import { ago } from "./ago.ts";

/** The width of the columns Status and Role. */
const columnWidth = 10;

/** The text of `parallax ha status`. */
export function renderHaStatus(status: HaStatus, colors: Colors): string {
  const { clusterId, members, observedAt } = status;
  const leaders = members.filter(({ role }) => role === "leader").map(({ id }) => id);
  const nodeWidth = Math.max("Node".length, ...members.map(({ id }) => id.length)) + 2;
  const row = (node: string, state: string, role: string, seen: string): string =>
    `${node.padEnd(nodeWidth)}${state}${role}${seen}`;
  const cell = (text: string, color: (text: string) => string = (plain) => plain): string =>
    `${color(text)}${" ".repeat(Math.max(1, columnWidth - text.length))}`;

  return [
    `Cluster: ${clusterId}`,
    `Members: ${members.length}`,
    `Leader: ${leaders.length === 0 ? "none" : leaders.join(", ")}`,
    "",
    row("Node", cell("Status"), cell("Role"), "Last Seen"),
    ...members.map(({ id, status: state, role, lastHeartbeat }) =>
      row(
        id,
        cell(state, stateColor(state, colors)),
        cell(role, roleColor(role, colors)),
        ago(lastHeartbeat, observedAt),
      ),
    ),
  ].join("\n");
}

function stateColor(state: HaStatus["members"][number]["status"], colors: Colors): (text: string) => string {
  if (state === "healthy") return colors.green;
  return state === "draining" ? colors.yellow : colors.red;
}

function roleColor(role: HaStatus["members"][number]["role"], colors: Colors): (text: string) => string {
  return role === "leader" ? colors.bold : (text) => text;
}
