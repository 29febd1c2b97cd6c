import { eventLogKeys } from "@parallax/redis";
import { type ClusterFixture, startCluster } from "@parallax/testing";
import { defineStage, pause, type Scene, type Stage, type StageOptions, topic } from "./scene.ts";

const servers: Pick<StageOptions<ClusterFixture>, "where" | "stop"> = {
  where: ({ where }) => ({ publisher: where, subscriber: where }),
  stop: (cluster) => cluster.stop(),
};

/** The stream of one of the partitions, whichever. */
function someLog({ keySpace, random }: Scene): string {
  return eventLogKeys(keySpace, topic, Math.floor(random.next() * keySpace.partitions)).log;
}

/** Three primaries with a replica each. */
export const cluster: Stage = defineStage<ClusterFixture>({
  ...servers,
  lanes: 2,
  start: startCluster,
  faults: [
    {
      name: "primary killed, Cluster",
      gaps: ["epoch", "rewound"],
      async strike(scene, fixture) {
        const log = someLog(scene);
        const old = await fixture.primaryOf(log);
        const lagging = scene.random.next() < 0.5 ? await fixture.replicasOf(old) : [];
        for (const replica of lagging) replica.pause();
        if (lagging.length > 0) {
          await old.send("CLIENT", "KILL", "TYPE", "replica");
          await pause(scene.random.next() * 500);
        }
        const failover = fixture.failover(log, { kill: true });
        await pause(300);
        for (const replica of lagging) replica.resume();
        await failover;
        await fixture.revive(old);
      },
    },
  ],
});

/** Three primaries without replicas: no fail-over interferes. */
export const movingSlots: Stage = defineStage<ClusterFixture>({
  ...servers,
  lanes: 1,
  start: () => startCluster({ replicas: 0 }),
  faults: [
    {
      name: "slots on the move",
      gaps: [],
      async strike(scene, { nodes, primaryOf, beginMove }) {
        for (let times = 0; times < 4; times += 1) {
          const log = someLog(scene);
          const owner = await primaryOf(log);
          const others = nodes.filter((node) => node !== owner);
          const target = others[Math.floor(scene.random.next() * others.length)];
          if (!target) throw new Error("there is no other node");
          const move = await beginMove(log, target);
          await pause(scene.random.next() * 100);
          // One of the two keys of the log has gone, the other has not: TRYAGAIN.
          await move.moveKeys([log]).catch(() => {});
          await pause(scene.random.next() * 300);
          await move.moveKeys();
          await pause(scene.random.next() * 100);
          await move.finish();
        }
      },
    },
  ],
});
