import { memoryEventLogSpace } from "@parallax/event-bus/memory";
import { createConnections, createKeySpace, eventLogKeys, type RedisConnections } from "@parallax/redis";
import { describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { entriesOf } from "../src/index-entry.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import { redisRecordBackend } from "../src/redis.ts";
import type { Change, RecordBackend } from "../src/store.ts";
import { changesOf, histories, historyLayout } from "./support/histories.ts";
import { createModel, withoutTimes } from "./support/model.ts";

/** A backend, and a look at what lies in it past every reading function. */
interface Subject {
  readonly backend: RecordBackend;
  indexMembers(): Promise<readonly string[]>;
  expiring(): Promise<readonly string[]>;
  told(): Promise<readonly string[]>;
}

const ids = ["a", "b", "c"];

async function holdsAgainstModel(subject: Subject, calls: readonly (readonly Change[])[]): Promise<void> {
  const { backend } = subject;
  const model = createModel(historyLayout);
  for (const changes of calls) {
    const expected = changes.map(model.apply);
    const { outcomes } = await backend.mutate(0, historyLayout, changes, {
      replicas: 0,
      repeatedSinceMs: undefined,
    });
    expect(outcomes.map(withoutTimes)).toEqual(expected);
  }

  const stored = (await backend.read(0, "thing", ids)).filter((record) => record !== undefined);
  expect(Object.fromEntries(stored.map(({ id, fields, version }) => [id, { fields, version }]))).toEqual(
    Object.fromEntries([...model.records].map(([id, { fields, version }]) => [id, { fields, version }])),
  );
  // S1: what is in the index is exactly what the records say, no orphan and nothing missing.
  const members = stored.flatMap((record) =>
    entriesOf(historyLayout, new Map(Object.entries(record.fields)), record),
  );
  expect([...(await subject.indexMembers())].sort()).toEqual(members.sort());
  const expiring = stored.filter(({ expiresAtMs }) => expiresAtMs !== undefined).map(({ id }) => id);
  expect([...(await subject.expiring())].sort()).toEqual(expiring.sort());
  expect(await subject.told()).toEqual(model.told);
  for (const [id, { inbox, events }] of model.records) {
    expect(Object.fromEntries(await backend.inbox(0, "thing", id))).toEqual(inbox);
    const log = (await backend.log(0, "thing", id, 0)) ?? [];
    expect(log.map(({ json }) => tagAndVersion(json))).toEqual(events);
    expect(log.map(({ sequence }) => sequence)).toEqual(events.map((_, at) => at + 1));
  }
  expect(await backend.raiseFence(0, model.fence)).toEqual({ raised: true, fence: model.fence });
}

function tagAndVersion(json: string): string {
  const { type, version } = JSON.parse(json);
  return `${type}@${version}`;
}

describeBackend("memory", "random histories", () => {
  it("agree with the model, and the indexes with the records", async () => {
    const property = fc.asyncProperty(histories, async (history) => {
      const log = memoryEventLogSpace();
      const space = memoryRecordSpace({ log });
      const { index, expiry } = space.shelf(0, "thing");
      const all = { first: "", end: "\uffff", limit: 9999 };
      await holdsAgainstModel(
        {
          backend: memoryRecordBackend(space),
          indexMembers: async () => index.range(all),
          expiring: async () => expiry.range(all).map((key) => key.slice(13)),
          told: async () => log.log("thing", 0).entries.map(({ event }) => `${event.type}@${event.version}`),
        },
        changesOf(history),
      );
    });
    await fc.assert(property, { numRuns: 1000 });
  });
});

describeBackend("redis-standalone", "random histories", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;
  let runs = 0;

  beforeAll(async () => {
    redis = await startRedis();
    connections = createConnections({ url: redis.url });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await redis.stop();
  });

  async function texts(command: string, ...args: string[]): Promise<string[]> {
    const reply = await connections.data.command(command, args);
    return Array.isArray(reply) ? reply.map(String) : [];
  }

  it("agree with the model, and the indexes with the records", async () => {
    const property = fc.asyncProperty(histories, async (history) => {
      runs += 1;
      const keySpace = createKeySpace({ prefix: `h${runs}:` });
      const { log } = eventLogKeys(keySpace, "thing", 0);
      await holdsAgainstModel(
        {
          backend: redisRecordBackend(connections, { keySpace }),
          indexMembers: () => texts("ZRANGE", `h${runs}:index:thing`, "0", "-1"),
          expiring: () => texts("ZRANGE", `h${runs}:expiry:thing`, "0", "-1"),
          async told() {
            const entries = await connections.data.command("XRANGE", [log, "-", "+"]);
            const read = JSON.parse(JSON.stringify(entries));
            return read.map(([, fields]: [string, string[]]) => tagAndVersion(fields[7] ?? ""));
          },
        },
        changesOf(history),
      );
    });
    await fc.assert(property, { numRuns: 300 });
  });
});
