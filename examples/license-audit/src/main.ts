import { parseArgs } from "node:util";
import { errorMessage, isParallaxError } from "@parallax/core";
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

/** Exit codes: 0 the vote beats the baseline, 1 it does not or the audit failed, 2 wrong use, 3 no cluster answers. */
type ExitCode = 0 | 1 | 2 | 3;

interface Arguments {
  readonly directory: string;
  readonly urls: readonly string[];
  readonly token: string | undefined;
  readonly direct: boolean;
  readonly json: boolean;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: "string", multiple: true },
      token: { type: "string" },
      direct: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const [directory = defaultDirectory, ...more] = positionals;
  if (more.length > 0)
    throw new TypeError(`reading the arguments failed; name one folder, not ${more.length + 1}`);
  const { PARALLAX_URL: url = "http://localhost:8080", PARALLAX_TOKEN } = process.env;
  return {
    directory,
    urls: values.url ?? url.split(",").map((one) => one.trim()),
    token: values.token ?? PARALLAX_TOKEN,
    direct: values.direct,
    json: values.json,
  };
}

async function audit(
  { directory, urls, token, direct }: Arguments,
  signal: AbortSignal,
): Promise<AuditReport> {
  if (direct) return auditDirectly({ directory, signal });
  return runAudit({
    clients: clientsOf(urls, token === undefined ? {} : { token }),
    directory,
    signal,
    onProgress: ({ done, total }) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${done}/${total}${done === total ? "\n" : ""}`);
    },
  });
}

async function main(): Promise<ExitCode> {
  let options: Arguments;
  try {
    options = readArguments();
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n\n${usage}`);
    return 2;
  }
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  try {
    const report = await audit(options, stop.signal);
    const text = renderReport(report, options.direct ? { unit: "texts, in one process," } : {});
    process.stdout.write(`${options.json ? JSON.stringify(report, undefined, 2) : text}\n`);
    return report.voteBeatsBaseline ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n`);
    return isParallaxError(error, "unreachable") ? 3 : 1;
  }
}

process.exitCode = await main();
