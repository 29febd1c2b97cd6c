import { noopLogger, seededRandom } from "@parallax/core";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { memoryMembershipSpace, memoryMembershipStore } from "@parallax/membership/memory";
import { createVirtualClock } from "@parallax/testing";
import { expect, it } from "vitest";
import { createMemorySpace, memoryBackends } from "../src/backends.ts";
import { createClusterParts } from "../src/cluster.ts";
import { createHighAvailability } from "../src/high-availability.ts";
import { load } from "./support/config-file.ts";

it("shows the leader at every moment, with a lease that is shorter than the interval of the beats", async () => {
  const clock = createVirtualClock();
  const random = seededRandom(1);
  const { config } = load("highAvailability: { leaderElection: { leaseDuration: 3s } }");
  const { leaderElection, memberHealth, clusterId } = config.highAvailability;
  expect(leaderElection.leaseDurationMs).toBeLessThan(memberHealth.checkIntervalMs);
  const backends = {
    ...memoryBackends(createMemorySpace()),
    lease: memoryLeaseStore(memoryLeaseSpace({ clock, random })),
    membership: memoryMembershipStore(memoryMembershipSpace({ clock, random })),
  };
  const { election, membership } = createClusterParts({
    ...{ config, backends, clock, random, logger: noopLogger },
    ...{
      nodeId: "node-0",
      address: "127.0.0.1:8080",
      load: () => ({ capacity: {}, agents: 0 }),
      abilities: () => ({ room: 1, functions: [] }),
    },
  });
  const { status } = createHighAvailability({
    ...{ nodeId: "node-0", clusterId, enabled: true, election, membership, clock },
    ...{ leaseDurationMs: leaderElection.leaseDurationMs, drainTimeoutMs: 1000 },
    ...{ send: async () => {}, logger: noopLogger, drainSelf: () => {} },
  });
  const stop = new AbortController();
  const campaign = new AbortController();
  const running = [
    membership.run({ signal: stop.signal }),
    election.run(({ signal }) => clock.sleep(600_000, signal).catch(() => {}), { signal: campaign.signal }),
  ];
  await clock.runUntil(() => election.term() !== undefined, 10_000);
  await clock.advance(50);
  for (let tick = 0; tick < 600; tick += 1) {
    await clock.advance(100);
    expect((await status()).members.map(({ role }) => role)).toEqual(["leader"]);
  }
  campaign.abort();
  await clock.advance(1000);
  expect((await status()).members.map(({ role }) => role)).toEqual(["standby"]);
  stop.abort();
  await clock.advance(1000);
  await Promise.all(running);
  expect(clock.timers).toBe(0);
});
