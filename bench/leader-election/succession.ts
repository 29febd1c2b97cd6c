// Real processes: from a step-down until another leads, and from SIGKILL until another leads. Many elections in parallel.

import { join } from "node:path";
import { bundleScript, eventually, type ProcessFixture, startProcess, startRedis } from "@parallax/testing";
import { numbers, pause, quantile } from "./measure.ts";
import { now, type Said, saidIn } from "./said.ts";

const options = numbers({
  elections: 220,
  kills: 2,
  steps: 2,
  lease: 15_000,
  deadline: 10_000,
  period: 2000,
});
const { elections, lease } = options;
const redis = await startRedis();
// The bundle of a benchmark lies in bench/.run-…
const script = await bundleScript(join(import.meta.dirname, "../leader-election/candidates.ts"));
const processes: ProcessFixture[] = [];
const dead: ProcessFixture[] = [];

async function start(): Promise<void> {
  const name = `p${processes.length + dead.length}`;
  const durations = [lease, options.deadline, options.period].map(String);
  const args = [redis.url, name, String(elections), ...durations];
  const process = await startProcess({ script: script.path, args });
  await process.line(/ready/);
  processes.push(process);
}

const saidBy = (process: ProcessFixture): Said[] => saidIn(process.lines);
const allSaid = (): Said[] =>
  [...processes, ...dead].flatMap(saidBy).sort((one, other) => one.atMs - other.atMs);

/** The last elected of each election, with whoever said it. */
function leaders(): Map<number, { readonly process: ProcessFixture; readonly said: Said }> {
  const last = new Map<number, { process: ProcessFixture; said: Said }>();
  for (const process of [...processes, ...dead]) {
    for (const said of saidBy(process)) {
      const known = last.get(said.election);
      if (said.kind === "elected" && (!known || said.atMs > known.said.atMs))
        last.set(said.election, { process, said });
    }
  }
  return last;
}

const areAllLed = (): boolean => {
  const all = [...leaders().values()];
  return all.length === elections && all.every(({ process }) => processes.includes(process));
};

/** Kills the process that leads most, and says how long each of its elections had no leader. */
async function killOne(): Promise<{ readonly sinceKill: number[]; readonly sinceRenewal: number[] }> {
  const led = (process: ProcessFixture): number[] =>
    [...leaders()].filter(([, { process: leader }]) => leader === process).map(([election]) => election);
  const [victim] = processes.toSorted((one, other) => led(other).length - led(one).length);
  if (!victim) throw new Error("no process is left");
  const orphans = led(victim);
  const killed = now();
  victim.signal("SIGKILL");
  processes.splice(processes.indexOf(victim), 1);
  dead.push(victim);
  await victim.exited;
  const renewedAtMs = new Map<number, number>();
  for (const election of orphans) {
    const expiresAtMs = Number(await redis.send("HGET", `e${election}:ha:lease`, "expiresAtMs"));
    renewedAtMs.set(election, expiresAtMs - lease);
  }
  await eventually(areAllLed, { timeoutMs: 4 * lease });
  const next = leaders();
  const elected = orphans.flatMap((election) => {
    const said = next.get(election)?.said;
    return said ? [{ election, said }] : [];
  });
  await start();
  return {
    sinceKill: elected.map(({ said }) => said.atMs - killed.atMs),
    sinceRenewal: elected.map(({ election, said }) => said.wallMs - (renewedAtMs.get(election) ?? 0)),
  };
}

/** Each step-down with the next elected of its election. */
function handovers(said: readonly Said[]): number[] {
  return said.flatMap((step, index) => {
    if (step.kind !== "steps-down") return [];
    const next = said
      .slice(index)
      .find(({ kind, election }) => kind === "elected" && election === step.election);
    return next ? [next.atMs - step.atMs] : [];
  });
}

function row(values: readonly number[]): Record<string, number> {
  const ms = (q: number): number => Math.round(quantile(values, q) * 10) / 10;
  return { trials: values.length, "p50 ms": ms(0.5), "p99 ms": ms(0.99), "worst ms": ms(1) };
}

// The first is elected everywhere, the others look on.
await start();
await eventually(areAllLed, { timeoutMs: 4 * lease });
for (let more = 0; more < 3; more += 1) await start();
await pause(1000);

for (let round = 0; round < options.steps; round += 1) {
  for (const process of [...processes]) {
    const before = process.lines.length;
    process.signal("SIGUSR2");
    await eventually(() => saidIn(process.lines.slice(before)).some(({ kind }) => kind === "done"), {
      timeoutMs: 120_000,
    });
    await pause(600);
  }
}
const steps = handovers(allSaid());
const kills = { sinceKill: [] as number[], sinceRenewal: [] as number[] };
for (let round = 0; round < options.kills; round += 1) {
  await pause(lease * (1 + Math.random()));
  const { sinceKill, sinceRenewal } = await killOne();
  kills.sinceKill.push(...sinceKill);
  kills.sinceRenewal.push(...sinceRenewal);
}
for (const process of processes) await process.kill();
await script.remove();
await redis.stop();

const tokens = allSaid().filter(({ kind }) => kind === "elected");
const repeated = tokens.length - new Set(tokens.map(({ election, term }) => `${election}:${term}`)).size;
console.log(
  `${elections} elections in each of 4 processes; lease ${lease}/${options.deadline}/${options.period} ms`,
);
const measured = {
  "step-down until another leads": steps,
  "SIGKILL until another leads": kills.sinceKill,
  "last renewal of a killed leader until another leads": kills.sinceRenewal,
};
const shown = Object.entries(measured).filter(([, values]) => values.length > 0);
console.table(Object.fromEntries(shown.map(([what, values]) => [what, row(values)])));
console.log(`${tokens.length} terms, ${repeated} tokens twice`);
