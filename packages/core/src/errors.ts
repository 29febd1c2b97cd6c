const marker: unique symbol = Symbol.for("@parallax/error");

/** What a {@link ParallaxError} carries besides its message. */
export interface ParallaxErrorOptions {
  /** The error or value that led to this one. */
  readonly cause?: unknown;
  /** Facts that a program may want to read; JSON-compatible, without secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error class of all packages. Branch on `code`, never on the message: codes are stable, messages are for people.
 *
 * A message starts in lower case with what was attempted and ends with what to do about it.
 *
 * @example
 * try { … } catch (error) {
 *   if (isParallaxError(error, "lease_lost")) return;
 *   throw error;
 * }
 */
export class ParallaxError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: Code, message: string, options: ParallaxErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ParallaxError";
    this.code = code;
    this.details = options.details;
    Object.defineProperty(this, marker, { value: true });
  }
}

/**
 * Whether `error` is a {@link ParallaxError}, with `code` if one is given.
 * Holds across duplicate copies of this package, which `instanceof` does not.
 */
export function isParallaxError<Code extends string>(
  error: unknown,
  code?: Code,
): error is ParallaxError<Code> {
  if (typeof error !== "object" || error === null || !(marker in error)) return false;
  return code === undefined || ("code" in error && error.code === code);
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
