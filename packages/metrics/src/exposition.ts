import type { Family, Sample } from "./family.ts";
import { createPauses } from "./in-slices.ts";
import type { Exposition } from "./metrics.ts";

/** The two text formats: what every scraper reads, and its successor, for those that ask for it. */
export type Format = "text" | "openmetrics";

const contentTypes: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that an `Accept` header asks for: OpenMetrics only where it is named and not liked less. */
export function negotiate(accept: string | undefined): Format {
  const liking = { text: 0, openmetrics: 0 };
  for (const range of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const format =
      type === "application/openmetrics-text" ? "openmetrics" : type === "text/plain" ? "text" : undefined;
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = weight === undefined ? 1 : Number(weight.slice(2)) || 0;
    if (format) liking[format] = Math.max(liking[format], quality);
  }
  return liking.openmetrics > 0 && liking.openmetrics >= liking.text ? "openmetrics" : "text";
}

/**
 * Families in a text format, a slice at a time. Sources: the Prometheus exposition formats, and OpenMetrics 1.0.
 */
export async function render(families: readonly Family[], format: Format): Promise<Exposition> {
  const pause = createPauses();
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    // In OpenMetrics the suffix belongs to a counter's samples and not to its name.
    const isCounter = format === "openmetrics" && type === "counter";
    const base = isCounter ? name.replace(/_total$/, "") : name;
    const shownType = format === "openmetrics" && type === "untyped" ? "unknown" : type;
    lines.push(`# HELP ${base} ${escapeHelp(help, format)}`, `# TYPE ${base} ${shownType}`);
    for (const sample of samples) {
      lines.push(line(isCounter ? { ...sample, name: `${base}_total` } : sample));
      const turn = pause();
      if (turn) await turn;
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return { body: lines.map((text) => `${text}\n`).join(""), contentType: contentTypes[format] };
}

function line({ name, labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${number(value)}`;
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(text: string, format: Format): string {
  return format === "openmetrics" ? escapeLabel(text) : text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
