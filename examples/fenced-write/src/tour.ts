import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Client } from "pg";
import { createTables, readReports } from "./report.ts";

export interface TourOptions {
  readonly redisUrl: string;
  readonly postgresUrl: string;
  /** The program of a node. */
  readonly nodeScript: string;
  readonly say: (line: string) => void;
}

interface Node {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves once it says so. */
  says(text: string): Promise<void>;
}

/** Pauses the leader between its check and its write, until another has led and written; then lets it go on. */
export async function tour(options: TourOptions): Promise<{ unfenced: string; fenced: string }> {
  const { postgresUrl, say } = options;
  const client = new Client(postgresUrl);
  await client.connect();
  await client.query(createTables);
  const first = startNode("node-0", options);
  const nodes = [first];
  try {
    await first.says("works on the report");
    first.process.kill("SIGSTOP");
    say("node-0 is paused");
    const second = startNode("node-1", options);
    nodes.push(second);
    await second.says("has written");
    say("node-0 goes on, and does not know that it was paused");
    first.process.kill("SIGCONT");
    await first.says("was refused");
    return await readReports(client);
  } finally {
    for (const { process } of nodes) await end(process);
    await client.end();
  }
}

function startNode(name: string, { nodeScript, redisUrl, postgresUrl, say }: TourOptions): Node {
  const child = spawn(process.execPath, [nodeScript, name, redisUrl, postgresUrl], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    say(`  ${line}`);
    for (const look of waiting) look();
  });
  return {
    name,
    process: child,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (lines.some((line) => line.includes(text))) resolve();
        };
        waiting.add(look);
        child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
        look();
      }),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
