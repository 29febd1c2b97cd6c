import { negotiate, render } from "./exposition.ts";
import { type Family, family, type Sample } from "./family.ts";
import { createPauses } from "./in-slices.ts";
import type { Exposition } from "./metrics.ts";
import { parse } from "./parse.ts";

/** What one node exposed, in the text format. */
export interface NodeExposition {
  readonly nodeId: string;
  readonly body: string;
}

type Merge = "sum" | "max" | "min";

/** The contract's figures, of which each node shows the whole cluster's, under the names that they get here. */
const clusterFigures: ReadonlyMap<string, { readonly name: string; readonly merge: Merge }> = new Map([
  ["parallax_ha_is_leader", { name: "parallax_cluster_leaders", merge: "sum" }],
  ["parallax_ha_cluster_members", { name: "parallax_cluster_members", merge: "max" }],
  ["parallax_ha_healthy_members", { name: "parallax_cluster_healthy_members", merge: "min" }],
  ["parallax_ha_elections_total", { name: "parallax_cluster_elections_total", merge: "max" }],
]);

/** What of the processes themselves is worth a sum. */
const processFigures = new Set(["process_cpu_seconds_total", "process_resident_memory_bytes"]);

/**
 * The figures of all nodes as those of one cluster: counters, histograms and amounts are added, durations and quantiles are
 * the worst of any node. Every name begins with `parallax_cluster_`, so that no sum over a scrape counts anything twice (and
 * what is named so already is left out).
 *
 * What cannot be read is left out and counted: one node must not hide the others.
 */
export async function consolidate(nodes: readonly NodeExposition[], accept?: string): Promise<Exposition> {
  const pause = createPauses();
  const merged = new Map<string, MergedFamily>();
  let readable = 0;
  for (const { body } of nodes) {
    const families = await tryParse(body);
    if (!families) continue;
    readable += 1;
    for (const each of families) {
      mergeInto(merged, each);
      const turn = pause(each.samples.length);
      if (turn) await turn;
    }
  }
  const help = "Nodes whose figures are in here, and nodes whose figures could not be read.";
  const counted = family("gauge", "parallax_cluster_nodes", help, [
    { value: readable, labels: { state: "readable" } },
    { value: nodes.length - readable, labels: { state: "unreadable" } },
  ]);
  const families = [...merged.values()].map(({ samples, ...about }) => ({
    ...about,
    samples: [...samples.values()],
  }));
  return render([counted, ...families], negotiate(accept));
}

interface MergedFamily extends Omit<Family, "samples"> {
  readonly samples: Map<string, Sample>;
}

async function tryParse(body: string): Promise<Family[] | undefined> {
  try {
    return await parse(body);
  } catch {
    return undefined;
  }
}

function mergeInto(merged: Map<string, MergedFamily>, { name, help, type, samples }: Family): void {
  const target = targetOf(name);
  if (!target) return;
  const into = merged.get(target) ?? {
    name: target,
    help: helpOf(name, help, samples),
    type,
    samples: new Map(),
  };
  merged.set(target, into);
  for (const sample of samples) {
    const { node: _, ...labels } = sample.labels;
    const as = { name: target + sample.name.slice(name.length), labels, value: sample.value };
    const key = JSON.stringify([as.name, Object.entries(labels).sort()]);
    const before = into.samples.get(key);
    const value = before ? mergers[mergeOf(name, sample)](before.value, as.value) : as.value;
    into.samples.set(key, { ...as, value });
  }
}

/** The nodes' own words, and what became of their figures. */
function helpOf(name: string, help: string, [sample]: readonly Sample[]): string {
  const merge = sample === undefined ? "sum" : mergeOf(name, sample);
  return `${help} Here: the ${{ sum: "sum", max: "highest", min: "lowest" }[merge]} of all nodes.`;
}

function targetOf(name: string): string | undefined {
  const figure = clusterFigures.get(name);
  if (figure) return figure.name;
  if (processFigures.has(name)) return `parallax_cluster_${name}`;
  if (!name.startsWith("parallax_") || name.startsWith("parallax_cluster_")) return undefined;
  return name.replace(/^parallax_(?:ha_)?/, "parallax_cluster_");
}

function mergeOf(name: string, sample: Sample): Merge {
  const figure = clusterFigures.get(name);
  if (figure) return figure.merge;
  if ("quantile" in sample.labels) return "max";
  // A gauge of a duration; the parts of a histogram or summary have suffixes behind it.
  if (sample.name === name && name.endsWith("_seconds")) return "max";
  return name.endsWith("_up") ? "min" : "sum";
}

const mergers: Readonly<Record<Merge, (left: number, right: number) => number>> = {
  sum: (left, right) => left + right,
  max: (left, right) => worst(left, right, Math.max),
  min: (left, right) => worst(left, right, Math.min),
};

/** A quantile of nothing is no number, and hides none. */
function worst(left: number, right: number, choose: (left: number, right: number) => number): number {
  if (Number.isNaN(left)) return right;
  return Number.isNaN(right) ? left : choose(left, right);
}
