import { parseDuration } from "@parallax/core";
import { z } from "zod";

const durationHint = "write a duration such as 250ms, 15s, 1m or 2h, or a number of milliseconds";

/** A duration in whole milliseconds. */
export const duration = z
  .union([z.string(), z.number()], { error: durationHint })
  .transform((value, context): number => {
    try {
      return Math.round(parseDuration(value));
    } catch {
      context.issues.push({ code: "custom", message: durationHint, input: value });
      return z.NEVER;
    }
  });

/** One that can't be nothing. */
export const span = duration.refine((ms) => ms > 0, "must be longer than 0");

const unitBytes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const sizeHint = "write a size such as 512KiB, 1MiB or 2GiB, or a number of bytes";

/** A size in bytes. */
export const size = z
  .union([z.string(), z.int()], { error: sizeHint })
  .transform((value, context): number => {
    const [, amount, unit] = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(String(value).trim()) ?? [];
    const bytes = Number(amount) * unitBytes[isUnit(unit) ? unit : "B"];
    if (bytes > 0) return bytes;
    context.issues.push({ code: "custom", message: sizeHint, input: value });
    return z.NEVER;
  });

function isUnit(text: string | undefined): text is keyof typeof unitBytes {
  return text !== undefined && Object.hasOwn(unitBytes, text);
}

const placeHint = "write host:port";
export const hostAndPort = z
  .string(placeHint)
  .regex(/^[^\s:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, { message: placeHint, abort: true })
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535,
    `${placeHint}, with a port up to 65535`,
  );
const countHint = "write a whole number above 0";
export const count = z.int(countHint).positive(countHint);
/** Environment variables and flags are text. */
export const flag = z.union([z.boolean(), z.stringbool()], { error: "write true or false" });
const portHint = "write a port from 0 to 65535";
export const port = z
  .union([z.int(), z.string().regex(/^\d+$/).transform(Number)], { error: portHint })
  .pipe(z.number().min(0, portHint).max(65_535, portHint));

/** What no single value shows. */
interface Relation<Section> {
  /** Every key that it is about, first the one that is named: where one of them is wrong by itself, nothing can be said of it. */
  readonly keys: readonly [string, ...string[]];
  readonly holds: (section: Section) => boolean;
  readonly message: string;
}

/** A relation of a section, for `refine`. It is looked at whatever else is wrong, so that everything is told at once. */
export function relation<Section>({ keys, holds, message }: Relation<Section>): [
  (section: Section) => boolean,
  {
    readonly path: string[];
    readonly message: string;
    readonly when: (payload: { readonly issues: readonly z.core.$ZodRawIssue[] }) => boolean;
  },
] {
  const isAbout = ({ path = [], code }: z.core.$ZodRawIssue): boolean =>
    path.length === 0 ? code !== "unrecognized_keys" && code !== "custom" : keys.includes(String(path[0]));
  return [holds, { path: [keys[0]], message, when: ({ issues }) => !issues.some(isAbout) }];
}
