import { ParallaxError } from "./errors.ts";

/** A duration as configuration writes it: `250ms`, `15s`, `1m`, `2h`, or a number of milliseconds. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h"}`;

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

function isUnit(text: string | undefined): text is keyof typeof unitMs {
  return text !== undefined && Object.hasOwn(unitMs, text);
}

/**
 * Milliseconds of a {@link Duration}. A string of digits alone counts as milliseconds, as environment variables have no numbers.
 * @throws ParallaxError `invalid_duration` for anything else, negative and endless numbers included.
 */
export function parseDuration(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  if (typeof value === "string") {
    const text = value.trim();
    const [, amount, unit] = pattern.exec(/^\d+$/.test(text) ? `${text}ms` : text) ?? [];
    // To the microsecond: 1.1h is 3960000 ms, and not a fraction more.
    const ms = isUnit(unit) ? Math.round(Number(amount) * unitMs[unit] * 1000) / 1000 : Number.NaN;
    if (Number.isFinite(ms)) return ms;
  }
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new ParallaxError(
    "invalid_duration",
    `reading a duration from ${shown}: write 250ms, 15s, 1m, 2h or a number of milliseconds`,
  );
}

/** A duration for people: `15s`, `1.5s`, `250ms`, `10m`, `24h`; the largest unit that needs at most one decimal. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    const amount = ms / unitMs[unit];
    if (amount >= 1 && Number.isInteger(Math.round(amount * 1e6) / 1e5))
      return `${Math.round(amount * 10) / 10}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}
