import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

/** What a node may have. */
export interface Limits {
  readonly cpus: number;
  readonly memoryMiB: number;
}

/** Limits that hold for a process and its threads. */
export interface LimitedProcess {
  /** How they are set, for people. */
  readonly how: string;
  add(pid: number): void;
  /** CPU seconds that were used since the limits were set. */
  cpuSeconds(): number;
  /** The most memory that was resident, in MiB. */
  peakMiB(pid: number): number;
  remove(): void;
}

const version1 = "/sys/fs/cgroup";
const periodUs = 100_000;

/** A control group with these limits. @throws Error where there are none, or this user may not make one. */
export function limitProcess({ cpus: wanted, memoryMiB }: Limits): LimitedProcess {
  const name = `parallax-sizing-${process.pid}`;
  const groups = ["cpu", "memory", "cpuacct"].map((controller) => join(version1, controller, name));
  const [cpu = "", memory = "", accounting = ""] = groups;
  for (const group of groups) mkdirSync(group);
  const most = Math.min(wanted, cpus().length);
  writeFileSync(join(cpu, "cpu.cfs_period_us"), String(periodUs));
  writeFileSync(join(cpu, "cpu.cfs_quota_us"), String(most * periodUs));
  writeFileSync(join(memory, "memory.limit_in_bytes"), String(memoryMiB * 1024 * 1024));
  return {
    how: `cgroups: ${most} of ${wanted} CPU, ${memoryMiB} MiB`,
    add(pid) {
      for (const group of groups) writeFileSync(join(group, "cgroup.procs"), String(pid));
    },
    cpuSeconds: () => Number(readFileSync(join(accounting, "cpuacct.usage"), "utf8")) / 1e9,
    peakMiB: (pid) =>
      Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024),
    remove() {
      for (const group of groups) rmdirSync(group);
    },
  };
}
