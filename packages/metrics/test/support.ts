import type { EventBusStats } from "@parallax/event-bus";
import type { ElectionStats } from "@parallax/leader-election";
import type { Member, View } from "@parallax/membership";

export function electionStats(stats: Partial<ElectionStats> = {}): ElectionStats {
  return {
    isLeader: false,
    term: undefined,
    leaseRemainingMs: 0,
    termsGranted: 0,
    lastRenewMs: undefined,
    renewFailures: 0,
    lastHandoverMs: undefined,
    loopStallMs: 0,
    workOverran: false,
    ...stats,
  };
}

export function viewOf(...statuses: Member["status"][]): View {
  const members = statuses.map((status, index) => ({
    id: `node-${index}`,
    incarnation: `inc-${index}`,
    address: `node-${index}:8080`,
    zone: undefined,
    status,
    joinedAtMs: 0,
    lastBeatAtMs: 0,
    report: { leading: undefined, capacity: {}, facts: {} },
  }));
  return { epoch: "epoch", version: 1, members, observedAtMs: 0 };
}

export function busStats(stats: Partial<EventBusStats> = {}): EventBusStats {
  return {
    syncLatencyMs: { count: 4, sumMs: 20, quantile: (q) => q * 10 },
    gaps: { trimmed: 2, epoch: 0, rewound: 0, overflow: 1 },
    delivered: 30,
    published: 20,
    live: true,
    ...stats,
  };
}

/** The lines of one family's samples. */
export function samples(body: string, name: string): string[] {
  return body
    .split("\n")
    .filter((line) => new RegExp(`^${name}(?:[{ ]|_(?:sum|count|bucket|total)[{ ])`).test(line));
}
