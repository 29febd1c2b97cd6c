import type { LogFields, Logger } from "@parallax/core";
import { errorMessage, isParallaxError } from "@parallax/core";
import { type Logger as Pino, pino } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config/schema.ts";

/** The node's log: one JSON object a line, or coloured lines for people. */
export function createLogger(options: Config["log"], fields: LogFields): Logger {
  const { level, format } = options;
  const settings = { level, base: fields, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "message" };
  if (format === "json") return adapt(pino(settings));
  return adapt(pino(settings, pretty({ messageKey: "message", ignore: "pid,hostname" })));
}

function adapt(target: Pino): Logger {
  return {
    debug: (message, fields) => target.debug(readable(fields), message),
    info: (message, fields) => target.info(readable(fields), message),
    warn: (message, fields) => target.warn(readable(fields), message),
    error: (message, fields) => target.error(readable(fields), message),
    child: (fields) => adapt(target.child(readable(fields))),
  };
}

/** An expected error is its code and message; the stack is only worth reading for what nobody expects. */
function readable(fields: LogFields = {}): Record<string, unknown> {
  const { error, ...rest } = fields;
  if (error === undefined) return rest;
  if (typeof error === "string") return { ...rest, error };
  if (isParallaxError(error)) return { ...rest, error: error.message, code: error.code };
  return { ...rest, error: errorMessage(error), ...(error instanceof Error ? { stack: error.stack } : {}) };
}
