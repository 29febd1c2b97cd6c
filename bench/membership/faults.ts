// Does anybody living fail for another's fault? Clocks of nodes and of Redis, outages, and an observer that stands still.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTemporaryDirectory, type RedisFixture, startRedis } from "@parallax/testing";
import {
  failAfterMs,
  fakeTime,
  type Members,
  nowMs,
  numbers,
  type PresetName,
  presetNames,
  startMembers,
  stepKey,
  type Told,
} from "./members.ts";

const { members: count, clusters: perPreset } = numbers({ members: 4, clusters: 10 });
const { values } = parseArgs({ options: { fault: { type: "string", default: "" } }, strict: false });
const only = String(values.fault);
const clusters = presetNames.flatMap((preset) =>
  Array.from({ length: perPreset }, (_, index) => `${preset}-${index}`),
);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** What a failure takes at most, and a little more: as long is looked on after each fault. */
const afterMs = failAfterMs("default") + 5000;

interface Scene {
  readonly redis: RedisFixture;
  readonly members: Members;
  /** Sets the wall clock of the node of this number ahead or back. */
  step(index: number, seconds: number): Promise<void>;
}

interface Fault {
  readonly name: string;
  /** The presets in which the first process fails rightly, if any. */
  readonly fails?: readonly PresetName[];
  act(scene: Scene): Promise<void>;
}

const faults: readonly Fault[] = [
  {
    name: "clocks of nodes 5 minutes ahead and back, stepping",
    async act({ step }) {
      for (const seconds of [300, -300, 0]) {
        for (let index = 0; index < count; index += 1)
          await step(index, index % 2 === 0 ? seconds : -seconds);
        await pause(afterMs);
      }
    },
  },
  ...[60, -60].map((seconds) => ({
    name: `clock of Redis steps by ${seconds} s`,
    async act({ redis }: Scene) {
      await redis.send("SET", stepKey, seconds * 1000);
      await pause(afterMs);
    },
  })),
  {
    name: "Redis hangs for 60 s",
    async act({ redis }) {
      redis.pause();
      await pause(60_000);
      redis.resume();
      await pause(afterMs);
    },
  },
  {
    name: "Redis is gone for 60 s, and comes back empty",
    async act({ redis }) {
      await redis.kill();
      await pause(60_000);
      await redis.restart();
      await pause(afterMs);
    },
  },
  {
    name: "an observer stands still for 10 s",
    // Ten seconds are more than the six after which the others fail the observer itself.
    fails: ["fast"],
    async act({ members: { processes } }) {
      processes[0]?.process.pause();
      await pause(10_000);
      processes[0]?.process.resume();
      await pause(afterMs);
    },
  },
  {
    name: "for comparison: a member is killed",
    fails: presetNames,
    async act({ members }) {
      await members.processes[0]?.process.kill();
      await pause(afterMs);
      await members.restart(0);
    },
  },
];

async function stage(): Promise<Scene & { stop(): Promise<void> }> {
  const directory = await createTemporaryDirectory("clocks");
  const file = (index: number): string => join(directory.path, `clock-${index}`);
  const step: Scene["step"] = (index, seconds) =>
    writeFile(file(index), `${seconds >= 0 ? "+" : ""}${seconds}s\n`);
  for (let index = 0; index < count; index += 1) await step(index, 0);
  const redis = await startRedis();
  const env = (index: number): Record<string, string> => fakeTime(file(index));
  const members = await startMembers({ url: redis.url, clusters, count, env });
  await members.allSeen();
  // M1 forgives a gap whole only after a steady time.
  await pause(failAfterMs("default") + 2000);
  return {
    redis,
    members,
    step,
    async stop() {
      await members.stop();
      await redis.stop();
      await directory.remove();
    },
  };
}

const table: Record<string, Record<string, number>> = {};
for (const { name, act, fails = [] } of faults) {
  if (!name.includes(only)) continue;
  const scene = await stage();
  const sinceMs = nowMs();
  await act(scene);
  await scene.members.allSeen();
  const told = scene.members.processes
    .flatMap((each) => each.lines())
    .filter((line): line is Told => "cluster" in line && line.atMs > sinceMs);
  for (const preset of presetNames) {
    const failed = told.filter(
      ({ what, cluster }) => ["failed", "ended"].includes(what) && cluster.startsWith(preset),
    );
    const isRight = ({ member }: Told): boolean => member === "node-0" && fails.includes(preset);
    const of = (what: Told["what"]): number =>
      told.filter((line) => line.what === what && line.cluster.startsWith(preset)).length;
    table[`${name}, ${preset}`] = {
      "failed falsely": failed.filter((line) => !isRight(line)).length,
      "failed rightly": failed.filter(isRight).length,
      suspected: of("suspected"),
      "cut off": of("cut-off"),
      resets: of("reset"),
    };
  }
  await scene.stop();
}
console.log(`${count} processes, ${perPreset} clusters of each preset; what members were told`);
console.table(table);
process.exit(Object.values(table).some((row) => row["failed falsely"] !== 0) ? 1 : 0);
