import { ParallaxError } from "@parallax/core";
import { type Family, type FamilyType, familyType, type Sample } from "./family.ts";
import { createPauses } from "./in-slices.ts";

const samplePattern = /^([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const labelPattern = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;
const suffixes = /_(?:bucket|sum|count)$/;

/** What is being gathered of one family. */
interface Gathered {
  help: string;
  type: FamilyType;
  readonly samples: Sample[];
}

/**
 * Reads the Prometheus text format, a slice at a time.
 * @throws ParallaxError `invalid_exposition` with the line that is none
 */
export async function parse(text: string): Promise<Family[]> {
  const pause = createPauses();
  const families = new Map<string, Gathered>();
  const gathered = (name: string): Gathered => {
    const found = families.get(name) ?? { help: "", type: "untyped", samples: [] };
    families.set(name, found);
    return found;
  };
  for (const each of text.split("\n")) {
    const line = each.trim();
    if (line === "") continue;
    const turn = pause();
    if (turn) await turn;
    const [, keyword, name = "", rest = ""] = /^#\s*(HELP|TYPE)\s+(\S+)\s*(.*)$/.exec(line) ?? [];
    if (keyword === "HELP") gathered(name).help = unescaped(rest);
    else if (keyword === "TYPE") gathered(name).type = familyType(rest);
    else if (!line.startsWith("#")) {
      const sample = sampleOf(line);
      const base = sample.name.replace(suffixes, "");
      const isPart = isCompound(families.get(base)?.type);
      gathered(isPart ? base : sample.name).samples.push(sample);
    }
  }
  return [...families].map(([name, found]) => ({ name, ...found }));
}

function isCompound(type: FamilyType | undefined): boolean {
  return type === "histogram" || type === "summary";
}

function sampleOf(line: string): Sample {
  const [, name, labels, value] = samplePattern.exec(line) ?? [];
  const parsed = labels === undefined ? {} : labelsOf(labels);
  const amount = numberOf(value);
  if (name === undefined || parsed === undefined || amount === undefined) {
    const message = `reading metrics: this line is no sample of the text format, so ask its sender for text/plain: ${line.slice(0, 200)}`;
    throw new ParallaxError("invalid_exposition", message);
  }
  return { name, labels: parsed, value: amount };
}

function labelsOf(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  labelPattern.lastIndex = 0;
  let end = 0;
  for (let match = labelPattern.exec(text); match; match = labelPattern.exec(text)) {
    const [, label, value] = match;
    if (label !== undefined && value !== undefined) labels[label] = unescaped(value);
    end = labelPattern.lastIndex;
  }
  return text.slice(end).trim() === "" ? labels : undefined;
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
}
