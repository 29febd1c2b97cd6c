import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type MembershipEvent, membershipPresets } from "@parallax/membership";
import { bundleScript, eventually, type ProcessFixture, startProcess } from "@parallax/testing";

export const presetNames = ["default", "fast"] as const;
export type PresetName = (typeof presetNames)[number];

/** What a process writes. */
export type Line =
  | {
      readonly what: MembershipEvent["type"] | "leaving";
      readonly cluster: string;
      readonly member: string;
      readonly atMs: number;
    }
  | { readonly what: "sees"; readonly count: number };

/** By how many milliseconds Redis's clock was stepped. */
export const stepKey = "bench:stepped";

export type Told = Extract<Line, { readonly cluster: string }>;

/** One process, with a member in every cluster. */
export interface MemberProcess {
  readonly id: string;
  readonly process: ProcessFixture;
  lines(): Line[];
}

/** Several processes, each with a member in every cluster. */
export interface Members {
  readonly processes: readonly MemberProcess[];
  /** Starts the one of this number anew. */
  restart(index: number): Promise<void>;
  /** Waits until every process sees all members of all clusters healthy. */
  allSeen(timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Numbers from the command line: `--rounds 30`. */
export function numbers<Names extends string>(
  defaults: Readonly<Record<Names, number>>,
): Record<Names, number> {
  const options = Object.fromEntries(
    Object.keys(defaults).map((name) => [name, { type: "string" as const }]),
  );
  const { values } = parseArgs({ options, strict: false });
  const result: Record<Names, number> = { ...defaults };
  for (const name in defaults) if (typeof values[name] === "string") result[name] = Number(values[name]);
  return result;
}

export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** How long a member of a preset may be silent until it fails. */
export function failAfterMs(preset: PresetName): number {
  const { checkIntervalMs, unhealthyThreshold } = membershipPresets[preset];
  return checkIntervalMs * unhealthyThreshold;
}

export interface MembersOptions {
  readonly url: string;
  readonly clusters: readonly string[];
  readonly count: number;
  /** What is added to the environment of the process of this number. */
  readonly env?: (index: number) => Readonly<Record<string, string>>;
}

export async function startMembers({
  url,
  clusters,
  count,
  env = () => ({}),
}: MembersOptions): Promise<Members> {
  const bundle = await bundleScript(join(import.meta.dirname, "../membership/member.ts"));
  const start = async (index: number): Promise<MemberProcess> => {
    const id = `node-${index}`;
    const process = await startProcess({
      script: bundle.path,
      args: [url, id, clusters.join(",")],
      env: env(index),
    });
    return { id, process, lines: () => process.lines.filter((line) => line.startsWith("{")).map(parse) };
  };
  const processes = await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
  return {
    processes,
    async restart(index) {
      processes[index] = await start(index);
    },
    async allSeen(timeoutMs = 120_000) {
      const sees = (line: Line): boolean => line.what === "sees";
      await eventually(
        () =>
          processes.every((each) => {
            const last = each.lines().findLast(sees);
            return last?.what === "sees" && last.count === count;
          }),
        { timeoutMs, everyMs: 100, message: "all to see all" },
      );
    },
    async stop() {
      await Promise.all(processes.map((each) => each.process.kill()));
      await bundle.remove();
    },
  };
}

function parse(line: string): Line {
  return JSON.parse(line);
}

/** What libfaketime needs to give a process the wall clock of a file, such as `+60s`; the monotonic one stays as it is. */
export function fakeTime(file: string): Record<string, string> {
  const library = readdirSync("/usr/lib")
    .map((folder) => join("/usr/lib", folder, "faketime/libfaketime.so.1"))
    .find((path) => existsSync(path));
  if (library === undefined)
    throw new Error("install libfaketime; on Debian: apt-get install -y libfaketime");
  return {
    LD_PRELOAD: library,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
  };
}
