import { seededRandom } from "@parallax/core";
import { afterAll, describe, expect, it } from "vitest";
import { entriesOf } from "../../src/index-entry.ts";
import { redisRecordBackend } from "../../src/redis.ts";
import { expectUnbroken, startChains } from "../support/chain.ts";
import { eventsOf } from "../support/redis-space.ts";
import { createFaults, type Scene } from "./scenes.ts";

// By default one run of each fault on a single server; `pnpm faults` makes 500, with Sentinel and Cluster among them.
const asked = process.env.FAULT_RUNS;
const runs = Number(asked ?? 7);
const firstSeed = Number(process.env.FAULT_SEED ?? 1);

const { faults, close } = createFaults();
const summary = new Map<string, { runs: number; acknowledged: number; lost: number; errors: string }>();

afterAll(async () => {
  await close();
  if (asked !== undefined) console.table(Object.fromEntries(summary));
}, 60_000);

/** A long run tells now and then how far it is. */
function report(): void {
  const done = [...summary.values()].reduce((sum, one) => sum + one.runs, 0);
  if (asked !== undefined && done % 20 === 0) console.table(Object.fromEntries(summary));
}

const plan = Array.from({ length: runs }, (_, at) => ({
  seed: firstSeed + at,
  fault: faults[at % faults.length],
}));

/** S1: every index holds exactly the entries of the records that are there. */
async function expectNoOrphan({ connections: [connection], keySpace }: Scene): Promise<void> {
  if (!connection) throw new Error("looking at what is left: there is no connection");
  const backend = redisRecordBackend(connection, { keySpace });
  for (let partition = 0; partition < keySpace.partitions; partition += 1) {
    const index = keySpace.partitioned(partition, "index:link");
    const reply = await connection.data.command("ZRANGE", [index, 0, -1]);
    const members = Array.isArray(reply) ? reply.map(String) : [];
    const ids = Array.from({ length: 6 }, (_, at) => `l${at}`).filter(
      (id) => keySpace.partitionOf(id) === partition,
    );
    const records = (await backend.read(partition, "link", ids)).filter((record) => record !== undefined);
    const layout = { indexes: ["status"], final: {} };
    const wanted = records.flatMap((record) =>
      entriesOf(layout, new Map(Object.entries(record.fields)), record),
    );
    expect(members.sort()).toEqual(wanted.sort());
  }
}

describe("real faults under load", () => {
  it.each(plan.flatMap(({ seed, fault }) => (fault ? [{ name: fault.name, seed, fault }] : [])))(
    "$name: nothing is lost or doubled without a word (seed $seed)",
    async ({ seed, fault }) => {
      const scene = await fault.prepare(`f${process.pid}x${seed}:`, seededRandom(seed));
      const load = startChains(scene.stores, scene.random);
      try {
        await load.acknowledge(100);
        await fault.strike(scene);
        await load.acknowledge(100);
      } finally {
        await load.stop();
      }
      await Promise.all(scene.stores.map((store) => store.close()));
      const [first] = scene.connections;
      if (!first) throw new Error("looking at what is left: there is no connection");
      const lost = expectUnbroken(load, await eventsOf(first, scene.keySpace, "link"));
      await expectNoOrphan(scene);
      await Promise.all(scene.connections.map((connection) => connection.close()));
      const before = summary.get(fault.name) ?? { runs: 0, acknowledged: 0, lost: 0, errors: "" };
      summary.set(fault.name, {
        runs: before.runs + 1,
        acknowledged: before.acknowledged + load.acknowledged.length,
        lost: before.lost + lost,
        errors: [...new Set([...before.errors.split(" "), ...load.errors.keys()])].filter(Boolean).join(" "),
      });
      report();
    },
    120_000,
  );
});
