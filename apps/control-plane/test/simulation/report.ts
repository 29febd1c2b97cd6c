import { z } from "zod";
import { faults } from "./scenario.ts";
import type { History } from "./simulate.ts";
import { type Counts, count } from "./watch.ts";

const brokenSchema = z.object({ seed: z.number(), what: z.array(z.string()) });

export const reportSchema = z.object({
  histories: z.number(),
  accepted: z.number(),
  excused: z.number(),
  virtualMs: z.number(),
  counts: z.map(z.string(), z.number()),
  broken: z.array(brokenSchema),
});

/** What a number of histories came to. */
export type Report = z.infer<typeof reportSchema>;

export function emptyReport(): Report {
  return { histories: 0, accepted: 0, excused: 0, virtualMs: 0, counts: new Map(), broken: [] };
}

/** Adds one history, whose counts are in the report already. */
export function addHistory(
  report: Report,
  { accepted, excused, virtualMs, broken }: History,
  seed: number,
): void {
  report.histories += 1;
  report.accepted += accepted;
  report.excused += excused;
  report.virtualMs += virtualMs;
  if (broken.length > 0) report.broken.push({ seed, what: [...broken] });
}

/** Adds the report of a part of the histories. */
export function merge(total: Report, part: Report): void {
  total.histories += part.histories;
  total.accepted += part.accepted;
  total.excused += part.excused;
  total.virtualMs += part.virtualMs;
  for (const [what, times] of part.counts) count(total.counts, what, times);
  total.broken.push(...part.broken);
}

const open = ["pending", "running", "aggregating"];

/** What became of the owner of an execution: with its state, the rows of the recovery table. */
const crashes = [
  "node crashes",
  "node restarts fast",
  "two nodes crash",
  "all nodes crash",
  "leader crashes in recovery",
  "execution kills its nodes",
  "it stood still",
  "it was cut off",
  "declared dead",
  "the only node, started again",
];

/** What has to happen in many histories, or they prove less than they seem to. */
const rows: readonly string[] = [
  ...Object.keys(faults).map((kind) => `fault: ${kind}`),
  ...["pending", "running"].map((status) => `created ${status}`),
  ...["running", "failed", "cancelled"].map((status) => `pending became ${status}`),
  ...["aggregating", "completed", "failed", "cancelled"].map((status) => `running became ${status}`),
  ...["completed", "failed", "cancelled"].map((status) => `aggregating became ${status}`),
  ...open.map((status) => `completed taken back ${status}`).filter((row) => !row.endsWith("pending")),
  ...["completed", "cancelled cancelled"].map((how) => `end: ${how}`),
  ...["timeout", "no_agents", "too_few_results", "no_quorum", "function_failed", "poisoned"].map(
    (code) => `end: failed ${code}`,
  ),
  ...open.flatMap((status) => crashes.map((how) => `${status} adopted: ${how}`)),
  ...open.map((status) => `${status} handed over: it drains`),
  "aggregating handed over: the function is elsewhere",
  "answer counted",
  "answer superseded",
];

export function missingRows(counts: Counts): string[] {
  return rows.filter((row) => !counts.has(row));
}

export function printed(
  report: Report,
  run: { readonly first: number; readonly seconds: number; readonly workers: number },
): string {
  const { histories, accepted, excused, virtualMs, counts, broken } = report;
  const perMinute = Math.round((60 * histories) / run.seconds);
  const tally = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...broken
      .sort((a, b) => a.seed - b.seed)
      .flatMap(({ seed, what }) => what.map((one) => `BROKEN seed ${seed}: ${one}`)),
    `${histories} histories from seed ${run.first}, ${accepted} executions, ${Math.round(virtualMs / 60_000)} virtual minutes`,
    `${run.seconds.toFixed(1)} s with ${run.workers} workers: ${perMinute} histories a minute`,
    `lost by a roll-back of the store with a dead owner, as the contract says: ${excused}`,
    ...tally.map(([what, times]) => `${String(times).padStart(9)}  ${what}`),
    `${broken.length} of ${histories} histories broke a promise`,
  ].join("\n");
}
