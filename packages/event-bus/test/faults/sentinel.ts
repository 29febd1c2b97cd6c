import { eventually, type RedisFixture, type SentinelFixture, startSentinel } from "@parallax/testing";
import { defineStage, pause, type Scene, type Stage } from "./scene.ts";

/** A primary with two replicas, and three Sentinels. */
export const sentinel: Stage = defineStage<SentinelFixture>({
  lanes: 2,
  start: startSentinel,
  where: ({ where }) => ({ publisher: where, subscriber: where }),
  stop: (servers) => servers.stop(),
  faults: [
    {
      name: "primary killed, Sentinel",
      gaps: ["epoch", "rewound"],
      async strike(scene, servers) {
        const { old, resume } = await letReplicasLag(scene, servers);
        const failover = servers.failover({ kill: true });
        await pause(500);
        resume();
        await failover;
        await old.restart();
        await inStep(servers);
      },
    },
    {
      // It comes back believing that it leads still, and acknowledges what is about to be thrown away.
      name: "primary hung, Sentinel",
      gaps: ["epoch", "rewound"],
      async strike({ random }, servers) {
        const old = await servers.primary();
        old.pause();
        await eventually(async () => (await servers.primary()) !== old, { timeoutMs: 30_000 });
        await pause(random.next() * 1500);
        old.resume();
        await inStep(servers);
      },
    },
  ],
});

/** With patience: a Sentinel tells a server that comes back whom to follow only after a while. */
async function inStep(servers: SentinelFixture): Promise<void> {
  await eventually(() => servers.settled().then(() => true), { timeoutMs: 150_000 });
}

/** Every other time the replicas get nothing any more, so that the fail-over takes events back. */
async function letReplicasLag(
  { random }: Scene,
  servers: SentinelFixture,
): Promise<{ readonly old: RedisFixture; readonly resume: () => void }> {
  const old = await servers.primary();
  const lagging = random.next() < 0.5 ? servers.servers.filter((server) => server !== old) : [];
  for (const replica of lagging) replica.pause();
  if (lagging.length > 0) {
    await old.send("CLIENT", "KILL", "TYPE", "replica");
    await pause(random.next() * 500);
  }
  return {
    old,
    resume() {
      for (const replica of lagging) replica.resume();
    },
  };
}
