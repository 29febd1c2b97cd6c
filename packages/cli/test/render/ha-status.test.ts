import type { HaMember, HaStatus } from "@parallax/protocol";
import pico from "picocolors";
import { describe, expect, it } from "vitest";
import { ago } from "../../src/render/ago.ts";
import { renderHaStatus } from "../../src/render/ha-status.ts";

const plain = pico.createColors(false);

function member(index: number, secondsAgo: number, more: Partial<HaMember> = {}): HaMember {
  return {
    id: `parallax-control-plane-${index}`,
    address: `10.0.0.${index + 1}:8080`,
    role: "standby",
    status: "healthy",
    lastHeartbeat: new Date(Date.UTC(2024, 0, 15, 10, 30, 2) - secondsAgo * 1000).toISOString(),
    ...more,
  };
}

function status(members: readonly HaMember[]): HaStatus {
  return {
    clusterId: "production",
    members,
    observedAt: "2024-01-15T10:30:02.000Z",
    nodeId: "parallax-control-plane-0",
    enabled: true,
  };
}

describe("the table of ha status", () => {
  it("is this, to the letter", () => {
    const members = [member(0, 2, { role: "leader" }), member(1, 1), member(2, 1)];
    expect(renderHaStatus(status(members), plain)).toBe(
      [
        "Cluster: production",
        "Members: 3",
        "Leader: parallax-control-plane-0",
        "",
        "Node                      Status    Role      Last Seen",
        "parallax-control-plane-0  healthy   leader    2s ago",
        "parallax-control-plane-1  healthy   standby   1s ago",
        "parallax-control-plane-2  healthy   standby   1s ago",
      ].join("\n"),
    );
  });

  it("keeps its columns when a member is unhealthy or draining", () => {
    const members = [member(0, 65, { status: "unhealthy" }), member(10, 0, { status: "draining" })];
    expect(renderHaStatus(status(members), plain).split("\n").slice(4)).toEqual([
      "Node                       Status    Role      Last Seen",
      "parallax-control-plane-0   unhealthy standby   1m ago",
      "parallax-control-plane-10  draining  standby   0s ago",
    ]);
  });

  it("says so when nobody leads", () => {
    expect(renderHaStatus(status([member(0, 1)]), plain)).toContain("\nLeader: none\n");
  });

  it("shows a split brain", () => {
    const members = [member(0, 1, { role: "leader" }), member(1, 1, { role: "leader" })];
    expect(renderHaStatus(status(members), plain)).toContain(
      "\nLeader: parallax-control-plane-0, parallax-control-plane-1\n",
    );
  });

  it("has a head also without members", () => {
    expect(renderHaStatus(status([]), plain).split("\n").at(-1)).toBe("Node  Status    Role      Last Seen");
  });

  it("has the same columns in colour", () => {
    const members = [member(0, 2, { role: "leader" }), member(1, 9, { status: "unhealthy" })];
    const coloured = renderHaStatus(status(members), pico.createColors(true));
    expect(coloured).not.toBe(renderHaStatus(status(members), plain));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(renderHaStatus(status(members), plain));
  });
});

describe("an age", () => {
  const observed = "2024-01-15T10:00:00.000Z";
  it.each([
    ["2024-01-15T09:59:59.001Z", "0s ago"],
    ["2024-01-15T09:59:58.000Z", "2s ago"],
    ["2024-01-15T09:59:00.001Z", "59s ago"],
    ["2024-01-15T09:59:00.000Z", "1m ago"],
    ["2024-01-15T07:30:00.000Z", "2h ago"],
    ["2024-01-12T10:00:00.000Z", "3d ago"],
    ["2024-01-15T10:00:05.000Z", "0s ago"],
    ["never", "unknown"],
  ])("of %s is %s", (time, text) => {
    expect(ago(time, observed)).toBe(text);
  });
});
