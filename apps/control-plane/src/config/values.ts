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

export const hostAndPort = z
  .string("write host:port")
  .regex(/^[^\s:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, "write host:port");
const countHint = "write a whole number above 0";
export const count = z.int(countHint).positive(countHint);
/** Environment variables and flags are text. */
export const flag = z.union([z.boolean(), z.stringbool()], { error: "write true or false" });
const portHint = "write a port from 0 to 65535";
export const port = z
  .union([z.int(), z.string().regex(/^\d+$/).transform(Number)], { error: portHint })
  .pipe(z.number().min(0, portHint).max(65_535, portHint));

/** What no single value shows. */
interface Relation {
  readonly holds: boolean;
  /** Within the section that is checked. */
  readonly path: readonly string[];
  readonly message: string;
}

/** Reports the relations of a section that don't hold. Each section has its own, so that one problem hides no other. */
export function holdTo<Section>(
  relationsOf: (section: Section) => readonly Relation[],
): (section: Section, context: z.RefinementCtx) => void {
  return (section, context) => {
    for (const { holds, path, message } of relationsOf(section))
      if (!holds) context.addIssue({ code: "custom", path: [...path], message });
  };
}
