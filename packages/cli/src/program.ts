import { errorMessage, isParallaxError } from "@parallax/core";
import { Command, CommanderError } from "commander";
import { registerAgents } from "./commands/agents.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerEvents } from "./commands/events.ts";
import { registerExecutions } from "./commands/executions.ts";
import { registerHaDrain } from "./commands/ha-drain.ts";
import { registerHaElect } from "./commands/ha-elect.ts";
import { registerHaStatus } from "./commands/ha-status.ts";
import { registerHaStepDown } from "./commands/ha-stepdown.ts";
import { registerRun } from "./commands/run.ts";
import { createContext, type RegisterCommand } from "./context.ts";
import { exitCodeOf, exitCodes } from "./exit-code.ts";
import { type Io, processIo } from "./io.ts";

/** Options of {@link createProgram}. */
export interface ProgramOptions {
  /** Further commands, such as the control plane's `start` and `dev`. They come first in the help. */
  readonly commands?: readonly RegisterCommand[];
  /** Default: the process's own. */
  readonly io?: Io;
  /** What `--version` prints. */
  readonly version?: string;
}

/** Makes the `parallax` command. Run it with {@link runProgram}. */
export function createProgram(options: ProgramOptions = {}): Command {
  const { commands = [], io = processIo(), version } = options;
  const program = new Command("parallax")
    .description("Run, watch and fail over a Parallax cluster.")
    .option("--url <url>", "where the control plane is; several separated by commas (PARALLAX_URL)")
    .option("--token <token>", "a token of the control plane (PARALLAX_TOKEN)")
    .option("--json", "print JSON")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      getOutHasColors: () => io.isTty && !io.env.NO_COLOR,
      getErrHasColors: () => io.isTty && !io.env.NO_COLOR,
    })
    .showHelpAfterError("(parallax --help shows how it is used)")
    .addHelpText("after", "\nExample:\n  $ parallax --url http://localhost:8080 ha status")
    .exitOverride();
  if (version !== undefined) program.version(version);

  const context = createContext(program, io);
  for (const register of commands) register(program, context);
  const ha = program
    .command("ha")
    .description("high availability: who is in the cluster and who leads")
    .addHelpText("after", "\nExample:\n  $ parallax ha status --watch");
  for (const register of [registerHaStatus, registerHaStepDown, registerHaElect, registerHaDrain]) {
    register(ha, context);
  }
  for (const register of [registerRun, registerExecutions, registerAgents, registerEvents, registerDoctor]) {
    register(program, context);
  }
  registerCompletion(program, context);
  return program;
}

/**
 * Runs a program with the arguments after its name. Never throws: returns the exit code, 0 done, 1 failed, 2 wrong use,
 * 3 unreachable, and has told why.
 */
export async function runProgram(
  program: Command,
  args: readonly string[],
  io: Io = processIo(),
): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end in this way, too. What was wrong has been printed.
      return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUse;
    }
    const code = isParallaxError(error) ? ` (${error.code})` : "";
    io.err(`parallax: ${errorMessage(error)}${code}`);
    return exitCodeOf(error);
  }
}
