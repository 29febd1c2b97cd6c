import type { LogFields, Logger } from "@parallax/core";

/** A line of a log. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines. */
export function keepingLogger(): { readonly logger: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const loggerOf = (base: LogFields): Logger => {
    const write =
      (level: LogLine["level"]) =>
      (message: string, fields: LogFields = {}): void =>
        void lines.push({ level, message, fields: { ...base, ...fields } });
    return {
      ...{ debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") },
      child: (fields) => loggerOf({ ...base, ...fields }),
    };
  };
  return { logger: loggerOf({}), lines };
}
