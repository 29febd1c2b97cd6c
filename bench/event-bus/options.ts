import { parseArgs } from "node:util";

/** Numbers from the command line: `--rate 5000`. */
export function numbers<Names extends string>(
  defaults: Readonly<Record<Names, number>>,
): Record<Names, number> {
  const names = Object.keys(defaults);
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const result: Record<Names, number> = { ...defaults };
  for (const name in defaults) if (typeof values[name] === "string") result[name] = Number(values[name]);
  return result;
}

/** The value below which a share `q` of sorted numbers lies. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((one, other) => one - other),
    0.5,
  );
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A clock that all processes of the machine share, in microseconds. */
export const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n);
