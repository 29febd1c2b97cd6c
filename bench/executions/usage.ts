import { readFileSync } from "node:fs";
import type { RedisFixture } from "@parallax/testing";

const ticksPerSecond = 100;

/** What was used up to now: CPU seconds of all processes by role, and commands that Redis ran, those in scripts included. */
export interface Usage {
  readonly cpuSeconds: Readonly<Record<string, number>>;
  readonly commands: number;
}

export async function usage(redis: RedisFixture, pids: readonly number[]): Promise<Usage> {
  const own = process.cpuUsage();
  const [first = 0, ...others] = pids.map(cpuSeconds);
  const info = String(await redis.send("INFO", "commandstats"));
  return {
    cpuSeconds: {
      server: first,
      workers: others.reduce((sum, seconds) => sum + seconds, 0),
      redis: cpuSeconds(redis.pid),
      load: (own.user + own.system) / 1e6,
    },
    commands: [...info.matchAll(/:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0),
  };
}

export function difference(before: Usage, after: Usage): Usage {
  const seconds = Object.entries(after.cpuSeconds).map(([role, value]) => [
    role,
    value - (before.cpuSeconds[role] ?? 0),
  ]);
  return { cpuSeconds: Object.fromEntries(seconds), commands: after.commands - before.commands };
}

export const total = ({ cpuSeconds }: Usage): number =>
  Object.values(cpuSeconds).reduce((sum, seconds) => sum + seconds, 0);

/** User and system time of a process, by /proc: Linux only, as the figures are. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return Math.round((pages * 4096) / 1024 / 1024);
}
