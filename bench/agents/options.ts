import { parseArgs } from "node:util";

/** Options from the command line, numbers as numbers and flags as booleans: `--seconds 60 --sticky`. */
export function options<Options extends Record<string, number | string | boolean>>(
  defaults: Options,
): Options {
  const { values } = parseArgs({
    options: Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [
        name,
        { type: typeof value === "boolean" ? ("boolean" as const) : ("string" as const) },
      ]),
    ),
  });
  const read = ([name, fallback]: [string, number | string | boolean]): [string, unknown] => {
    const given = values[name];
    if (given === undefined) return [name, fallback];
    return [name, typeof fallback === "number" ? Number(given) : given];
  };
  return Object.assign({ ...defaults }, Object.fromEntries(Object.entries(defaults).map(read)));
}

/** The value below which a share `q` of the numbers lies. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Prints what was looked at, and whether it is as it should be. The program fails if one is not. */
export function check(title: string, holds: boolean, found: unknown): void {
  console.log(`${holds ? "  ok    " : "  FAILED"} ${title}: ${String(found)}`);
  if (!holds) process.exitCode = 1;
}
