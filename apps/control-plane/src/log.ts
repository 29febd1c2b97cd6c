import type { LogFields, Logger } from "@parallax/core";
import { errorMessage, isParallaxError } from "@parallax/core";
import { type DestinationStream, type Logger as Pino, pino } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config/schema.ts";

/** How much is written: this level and those above it. */
export type LogLevel = Config["log"]["level"];

/** The node's log, whose level can be changed while it runs. */
export interface NodeLogger extends Logger {
  level(): LogLevel;
  setLevel(level: LogLevel): void;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One JSON object a line, or coloured lines for people. `destination` is for tests; default: standard output. */
export function createLogger(
  options: Config["log"],
  fields: LogFields,
  destination?: DestinationStream,
): NodeLogger {
  let level = options.level;
  // Written is what the level lets through at the time: a child of pino keeps the one that it was made with.
  const settings = {
    level: "debug",
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: "message",
  };
  const people = { messageKey: "message", ignore: "pid,hostname" };
  const stream =
    options.format === "json" ? destination : pretty({ ...people, ...(destination && { destination }) });
  const isOn = (wanted: LogLevel): boolean => ranks[wanted] >= ranks[level];
  return {
    ...adapt(stream ? pino(settings, stream) : pino(settings), isOn),
    level: () => level,
    setLevel(next) {
      level = next;
    },
  };
}

function adapt(target: Pino, isOn: (level: LogLevel) => boolean): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (isOn(level)) target[level](readable(fields), message);
    };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => adapt(target.child(readable(fields)), isOn),
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
