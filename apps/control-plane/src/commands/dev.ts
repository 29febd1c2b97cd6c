import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CliContext, RegisterCommand } from "@parallax/cli";
import { ParallaxError } from "@parallax/core";

/** Options of `parallax dev`, as commander gives them. */
interface DevFlags {
  readonly nodes: string;
  readonly agents: string;
  readonly workload?: string;
  readonly exit?: boolean;
}

/** `parallax dev`. `bin` is the program that nodes and agents are started with. */
export function registerDev(bin: URL): RegisterCommand {
  return (parent, context) => {
    parent
      .command("dev")
      .description(
        "run a local cluster: on Redis if one is given (PARALLAX_REDIS_URL) or installed, else embedded",
      )
      .option("--nodes <count>", "how many nodes", "3")
      .option("--agents <count>", "how many agents, where no workload brings its own", "3")
      .option("--workload <directory>", "a package that exports a workload to run on the cluster")
      .option("--exit", "end when the workload has ended")
      .addHelpText("after", "\nExample:\n  $ parallax dev --nodes 3 --agents 3")
      .action((flags: DevFlags) => dev(flags, bin, context));
    parent
      .command("dev-redis <command> [arguments...]", { hidden: true })
      .description("run a Redis server that ends with the local cluster that it serves")
      .addHelpText("after", "\nExample:\n  $ parallax dev-redis redis-server -- --port 7000")
      .action((command: string, args: readonly string[]) => runBound(command, args));
    parent
      .command("dev-agent [module]", { hidden: true })
      .description("run a module as an agent of a local cluster; without one, an agent that echoes")
      .addHelpText("after", "\nExample:\n  $ parallax dev-agent ./agent.js")
      .action(async (module?: string) => {
        // The agent ends with the cluster that started it, however that ends.
        process.once("disconnect", () => process.exit(0));
        if (module === undefined) await import("../dev/demo-agent.ts");
        else await import(module);
      });
  };
}

async function dev(flags: DevFlags, bin: URL, { io }: CliContext): Promise<void> {
  const { runDev } = await import("../dev/run-dev.ts");
  const ok = await runDev({
    bin,
    io,
    nodes: count(flags.nodes, "--nodes", 1),
    agents: count(flags.agents, "--agents", 0),
    workload: flags.workload,
    exit: flags.exit ?? false,
  });
  if (!ok)
    throw new ParallaxError(
      "workload_failed",
      "running the workload: it did not go as it should; see its report above",
    );
}

function count(text: string, flag: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= 100) return value;
  throw new ParallaxError(
    "wrong_use",
    `reading ${flag}: write a whole number from ${least} to 100, not ${text}`,
  );
}

/** Runs a program to its end, and ends it when this process is told to end or its parent is gone, however that ended. */
async function runBound(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: "inherit" });
  process.once("SIGTERM", () => child.kill("SIGTERM"));
  process.once("disconnect", () => child.kill("SIGKILL"));
  const [code]: (number | null)[] = await once(child, "exit");
  process.disconnect?.();
  process.exitCode = code ?? 1;
}
