export type { CliContext, GlobalOptions, RegisterCommand } from "./context.ts";
export { exitCodes } from "./exit-code.ts";
export { type Io, processIo } from "./io.ts";
export { createProgram, type ProgramOptions, runProgram } from "./program.ts";
export { renderHaStatus } from "./render/ha-status.ts";
