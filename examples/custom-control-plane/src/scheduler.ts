import { systemClock as clock, randomId, runGroup } from "@parallax/core";
import { createEventBus, type TopicLog } from "@parallax/event-bus";
import { createHealth, type Health } from "@parallax/health";
import { createElection, electionPresets, type LeaseStore, type Term } from "@parallax/leader-election";
import { createMembership, type MembershipStore, membershipPresets } from "@parallax/membership";
import { createStateStore, type RecordBackend } from "@parallax/state-store";
import { z } from "zod";

const partitions = Array.from({ length: 8 }, (_, index) => `p${index}`);
const status = z.enum(["waiting", "running", "done"]);
const text = z.string();
// A job has a partition while it is open, and a runner from then on; the owner of a partition runs its jobs.
const job = z.object({
  status,
  partition: text.optional(),
  runner: text.optional(),
  result: text.optional(),
});
const partition = z.object({ owner: text });

/** What the nodes share: one Redis, or the memory of one process. */
export type Stores = readonly [LeaseStore, MembershipStore, TopicLog, RecordBackend];

/** A node of the scheduler. */
export interface SchedulerNode {
  readonly health: Health;
  submit(id: string): Promise<void>;
  /** What became of the jobs that are done, by id. */
  results(): Promise<ReadonlyMap<string, string>>;
  run(signal: AbortSignal): Promise<void>;
}

/** The leader gives each partition to a living node; that one runs its jobs, and each job is done once. */
export function createNode(
  nodeId: string,
  stores: Stores,
  work: (id: string) => Promise<string>,
): SchedulerNode {
  const [lease, members, log, backend] = stores;
  const node = { nodeId, incarnation: randomId("") };
  const bus = createEventBus({ store: log });
  const store = createStateStore({ backend, bus });
  const jobs = store.collection({ name: "job", schema: job, indexes: ["partition", "status"], topic: "job" });
  const owners = store.collection({ name: "owner", schema: partition, indexes: ["owner"], topic: "owner" });
  const timing = { ...membershipPresets.fast, unhealthyThreshold: 2 };
  const membership = createMembership({ ...node, store: members, address: nodeId, ...timing });
  const election = createElection({ ...node, store: lease, ...electionPresets.fast });
  const health = createHealth({ serviceId: nodeId });

  /** Under the leader's term: one that was deposed and does not know it is refused by the store. */
  async function assign({ token: fence, signal }: Term): Promise<void> {
    const given = new Map<string, string>();
    await store.raiseFence(fence);
    for (; !signal.aborted; await clock.sleep(200, signal).catch(() => {})) {
      const all = membership.view()?.members ?? [];
      const takers = all.filter(({ status }) => status !== "failed" && status !== "draining");
      for (const [index, id] of partitions.entries()) {
        const taker = takers[index % takers.length];
        const owner = taker && `${taker.id}#${taker.incarnation}`;
        if (owner === undefined || given.get(id) === owner) continue;
        const change = { fence, event: { type: "assigned" } };
        await owners.create(id, { owner }, change);
        await owners.update(id, { set: { owner } }, change);
        given.set(id, owner);
      }
    }
  }

  /** Runs what waits in our partitions, and what a node left behind that has provably ended. */
  async function workOff(stop: AbortSignal): Promise<void> {
    const runner = `${nodeId}#${membership.incarnation}`;
    for (const { id: partition } of (await owners.list({ index: "owner", value: runner })).records) {
      for (const { id, value, version } of (await jobs.list({ index: "partition", value: partition }))
        .records) {
        const [, incarnation = ""] = value.runner?.split("#") ?? [];
        if (value.status === "running" && !(await membership.hasEnded(incarnation))) continue;
        // The version lets one of several through; whoever loses looks at the next job.
        const claim = await jobs.update(id, { set: { status: "running", runner } }, { version });
        if (claim.outcome !== "ok" || stop.aborted) continue;
        const done = { status: "done", result: await work(id) } as const;
        const change = { where: { runner }, event: { type: "done" } };
        await jobs.update(id, { set: done, unset: ["partition"] }, change);
      }
    }
  }

  async function keepWorking(stop: AbortSignal): Promise<void> {
    let wake: () => void = () => {};
    const topics = ["job", "owner"].map((topic) => bus.subscribe(topic, { from: "now" }, () => wake()));
    await membership.joined();
    health.markReady();
    while (!stop.aborted) {
      // Events say when to look, the records what there is: a lost event costs half a second.
      const news = new Promise<void>((resolve) => (wake = resolve));
      await workOff(stop);
      await Promise.race([news, clock.sleep(500, stop).catch(() => {})]);
    }
    health.markDraining();
    for (const topic of topics) topic.close();
  }

  return {
    health,
    async submit(id) {
      const partition =
        partitions[[...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 8] ?? "p0";
      await jobs.create(id, { status: "waiting", partition }, { event: { type: "submitted" } });
    },
    async results() {
      const { records } = await jobs.list({ index: "status", value: "done", limit: 1000 });
      return new Map(records.map(({ id, value }) => [id, value.result ?? ""]));
    },
    async run(signal) {
      const parts = [
        { name: "membership", run: (stop: AbortSignal) => membership.run({ signal: stop }) },
        { name: "election", run: (stop: AbortSignal) => election.run(assign, { signal: stop }) },
        { name: "work", run: keepWorking },
      ];
      await runGroup(parts, signal);
      health.close();
      for (const part of [store, bus, lease, members]) await part[Symbol.asyncDispose]();
    },
  };
}
