import { ParallaxError, randomId } from "@parallax/core";
import type { Execution, SubmitOptions } from "@parallax/protocol";
import type { CliContext, RegisterCommand } from "../context.ts";
import type { Io } from "../io.ts";

interface RunOptions {
  readonly input?: string;
  readonly timeout?: string;
  readonly wait: boolean;
}

/** `parallax run` */
export const registerRun: RegisterCommand = (parent, context) => {
  parent
    .command("run")
    .description("run a pattern, wait for it, and print its result")
    .argument("<pattern>", "the pattern's name")
    .option("-i, --input <json>", "the input: JSON, @file, or - for standard input")
    .option("--timeout <duration>", "the execution's time limit, such as 30s; default: the pattern's own")
    .option("--no-wait", "print the execution's id and don't wait")
    .addHelpText(
      "after",
      '\nExample:\n  $ parallax run content-classifier --input \'{"content":"Permission is hereby granted"}\'',
    )
    .action((pattern: string, options: RunOptions) => run(context, pattern, options));
};

async function run(
  context: CliContext,
  pattern: string,
  { input, timeout, wait }: RunOptions,
): Promise<void> {
  const { io } = context;
  const value = input === undefined ? null : parseInput(await readInput(input, io));
  const options: SubmitOptions = timeout === undefined ? {} : { timeout };
  const submission = { pattern, input: value, options, idempotencyKey: randomId("idem_") };
  const client = await context.client();
  const submitted = await client.executions.submit(submission);
  if (!wait) return context.print(submitted, ({ id }) => id);

  const { withProgress } = await import("../render/progress.ts");
  const look = async (): Promise<string> => describe(await client.executions.get(submitted.id));
  // The same key: this waits for the execution that was just submitted. Its own time limit ends it, not ours.
  const waiting = client.executions.run({ ...submission, timeout: Number.MAX_SAFE_INTEGER });
  const ended = await withProgress(io, look, waiting);
  if (context.globals().json) io.out(JSON.stringify(ended, undefined, io.isTty ? 2 : 0));
  if (ended.status !== "completed") throw endedOtherwise(ended);
  if (!context.globals().json) io.out(JSON.stringify(ended.result, undefined, 2));
}

function describe({ id, status, tasks }: Execution): string {
  const done = tasks.filter((task) => task.status === "completed" || task.status === "failed").length;
  return `${id} ${status}: ${done} of ${tasks.length} task${tasks.length === 1 ? "" : "s"}`;
}

async function readInput(input: string, io: Io): Promise<string> {
  if (input === "-") return io.readStdin();
  if (!input.startsWith("@")) return input;
  try {
    return await io.readFile(input.slice(1));
  } catch (cause) {
    const message = `reading the input from ${input.slice(1)}: it can't be read; check the path`;
    throw new ParallaxError("invalid_input", message, { cause });
  }
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `reading the input: it is no JSON; write a text in double quotes, such as '"hello"', or @file for a file`;
    throw new ParallaxError("invalid_input", message, { cause });
  }
}

function endedOtherwise({ id, status, error }: Execution): ParallaxError {
  const why = error ? `: ${error.message} (${error.code})` : "";
  const message = `running ${id}: it was ${status}${why}; look at it with parallax executions ${id}`;
  return new ParallaxError(`execution_${status}`, message, { details: { executionId: id } });
}
