import { parseArgs } from "node:util";
import { errorMessage, isParallaxError } from "@parallax/core";
import { addresses } from "./addresses.ts";
import { runAudit } from "./audit.ts";
import { auditDirectly } from "./direct.ts";
import type { AuditReport } from "./report.ts";
import { renderReport } from "./report-text.ts";
import { clientsOf, defaultDirectory } from "./workload.ts";

const usage = `Usage: node main.js [folder] [--url http://host:8080]... [--token TOKEN] [--json]
       node main.js [folder] --direct [--json]

  folder    where to look for node_modules; default: those of this workspace
  --url     the cluster, once for each address; default: PARALLAX_URL or http://localhost:8080
  --token   default: PARALLAX_TOKEN
  --direct  run the three methods in this process, without a cluster
  --json    print the report as JSON
`;

/** 0 the vote beats the baseline, 1 it does not or the audit failed, 2 wrong use, 3 no cluster answers. */
export type ExitCode = 0 | 1 | 2 | 3;

/** What the command touches of the process that it runs in. */
export interface CommandContext {
  /** Without the interpreter and the script. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Writes to the standard output. */
  print(text: string): void;
  /** Writes to the standard error. */
  complain(text: string): void;
  /** Shows how far the audit is. Left out where nobody watches. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

interface Arguments {
  readonly directory: string;
  readonly urls: readonly string[];
  readonly token: string | undefined;
  readonly direct: boolean;
  readonly json: boolean;
}

/** The audit as a command: parses, runs, prints the report, and never throws. */
export async function runCommand(context: CommandContext): Promise<ExitCode> {
  let options: Arguments;
  try {
    options = readArguments(context);
  } catch (error) {
    context.complain(`${errorMessage(error)}\n\n${usage}`);
    return 2;
  }
  try {
    const report = await audit(options, context);
    const text = renderReport(report, options.direct ? { unit: "texts, in one process," } : {});
    context.print(`${options.json ? JSON.stringify(report, undefined, 2) : text}\n`);
    return report.voteBeatsBaseline ? 0 : 1;
  } catch (error) {
    context.complain(`${errorMessage(error)}\n`);
    if (isParallaxError(error, "invalid_url")) return 2;
    return isParallaxError(error, "unreachable") ? 3 : 1;
  }
}

function readArguments({ args, env }: CommandContext): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      url: { type: "string", multiple: true },
      token: { type: "string" },
      direct: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const [directory = defaultDirectory, ...more] = positionals;
  if (more.length > 0) {
    throw new TypeError(`reading the arguments failed; name one folder, not ${positionals.length}`);
  }
  return {
    directory,
    urls: values.url ?? addresses(env.PARALLAX_URL),
    token: values.token ?? env.PARALLAX_TOKEN,
    direct: values.direct,
    json: values.json,
  };
}

async function audit(
  { directory, urls, token, direct }: Arguments,
  { signal, progress }: CommandContext,
): Promise<AuditReport> {
  if (direct) return auditDirectly({ directory, signal });
  return runAudit({
    clients: clientsOf(urls, token === undefined ? {} : { token }),
    directory,
    signal,
    onProgress: ({ done, total }) => progress?.(done, total),
  });
}
