/** Facts of a log line, as JSON-compatible values. Errors go under `error`. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the packages write what happens. Message first, facts second; fits pino, winston or console with a few lines. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** Says nothing: the default of every package. */
export const noopLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => noopLogger,
};

/** Writes to the console, for examples and first steps. */
export function consoleLogger(fields: LogFields = {}): Logger {
  const write =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, more: LogFields = {}): void =>
      console[level](message, { ...fields, ...more });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (more) => consoleLogger({ ...fields, ...more }),
  };
}
