import { runCommand } from "./command.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const { stderr, stdout } = process;
process.exitCode = await runCommand({
  args: process.argv.slice(2),
  env: process.env,
  signal: stop.signal,
  print: (text) => stdout.write(text),
  complain: (text) => stderr.write(text),
  progress: stderr.isTTY
    ? (done, total) => stderr.write(`\r${done}/${total}${done === total ? "\n" : ""}`)
    : undefined,
});
