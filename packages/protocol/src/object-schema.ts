import type { z } from "zod";

/**
 * The zod schema of an object type. Types are written by hand, so that they read well and can be declared without inference;
 * this type holds the schema to them: a field that only one of the two knows does not compile, save that the schema may
 * know more. Optional fields are `field?: T | undefined`, as JSON has no `undefined`.
 */
export type ObjectSchema<T extends object> = z.ZodObject<{
  readonly [Key in keyof T]-?: undefined extends T[Key]
    ? unknown extends T[Key]
      ? z.ZodType<T[Key]>
      : z.ZodOptional<z.ZodType<Exclude<T[Key], undefined>>>
    : z.ZodType<T[Key]>;
}>;
