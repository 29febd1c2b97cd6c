import { describe, expect, it } from "vitest";
import { createKeySpace, partitionTags } from "../src/key-space.ts";
import { slotCount, slotOf } from "../src/slot.ts";

describe("on standalone Redis and Sentinel", () => {
  const keySpace = createKeySpace();

  it("a key is the prefix and a name", () => {
    expect(keySpace.leader).toBe("parallax:ha:leader");
    expect(keySpace.coordination("ha:members")).toBe("parallax:ha:members");
    expect(keySpace.partitioned(0, "execution:exec_1")).toBe("parallax:execution:exec_1");
    expect(keySpace.channel("events:agent")).toBe("parallax:events:agent");
  });

  it("there is one partition, whatever the number that is meant for Cluster", () => {
    const asked = createKeySpace({ partitions: 64 });
    expect([asked.partitions, asked.partitionOf("a"), asked.partitionOf("b")]).toEqual([1, 0, 0]);
  });
});

describe("on Cluster", () => {
  const keySpace = createKeySpace({ cluster: true });

  it("the leader and the channels keep their names, and coordination shares the leader's slot", () => {
    expect(keySpace.leader).toBe("parallax:ha:leader");
    expect(keySpace.channel("events:agent")).toBe("parallax:events:agent");
    expect(slotOf(keySpace.coordination("ha:members"))).toBe(slotOf(keySpace.leader));
  });

  it("all keys of a partition share a slot", () => {
    for (let partition = 0; partition < 16; partition += 1) {
      const slots = ["execution:a", "log:execution", "fence"].map((name) =>
        slotOf(keySpace.partitioned(partition, name)),
      );
      expect(new Set(slots).size).toBe(1);
    }
  });

  it("the tags are the same for ever: they decide where records are", () => {
    expect(partitionTags(16)).toMatchInlineSnapshot(`
      [
        "0-67",
        "1-c7",
        "2-3z",
        "3-2v",
        "4-6g",
        "5-7k",
        "6-os",
        "7-176",
        "8-2y",
        "9-w",
        "10-7",
        "11-37",
        "12-6p",
        "13-cp",
        "14-2k",
        "15-3g",
      ]
    `);
    expect(keySpace.partitioned(0, "execution:exec_1")).toMatchInlineSnapshot(
      `"parallax:{0-67}:execution:exec_1"`,
    );
  });

  it.each([1, 2, 8, 16, 64, 128])(
    "%d partitions spread evenly over however many equal shards",
    (partitions) => {
      const slots = partitionTags(partitions).map(slotOf);
      for (let shards = 1; shards <= 12; shards += 1) {
        const counts = Array.from({ length: shards }, () => 0);
        for (const slot of slots) {
          const shard = Math.floor((slot * shards) / slotCount);
          counts[shard] = (counts[shard] ?? 0) + 1;
        }
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    },
  );

  it("records spread evenly over the partitions, also when their ids differ in the last letter only", () => {
    const counts = Array.from({ length: 16 }, () => 0);
    const total = 16_000;
    for (let index = 0; index < total; index += 1) {
      const partition = keySpace.partitionOf(`exec_${index}`);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    // 1000 expected; five standard deviations of a fair draw are 153.
    expect(Math.max(...counts.map((count) => Math.abs(count - total / 16)))).toBeLessThan(153);
  });

  it("a record is in the same partition for ever", () => {
    const ids = ["exec_1", "exec_2", "agent_1", "a", "pattern:über"];
    expect(ids.map((id) => keySpace.partitionOf(id))).toEqual([1, 4, 6, 3, 15]);
  });

  it("a partition that does not exist has no keys", () => {
    for (const partition of [-1, 16, 0.5])
      expect(() => keySpace.partitioned(partition, "x")).toThrow(
        expect.objectContaining({ code: "invalid_partition" }),
      );
  });
});

describe("options", () => {
  it.each([
    { prefix: "a{b}" },
    { prefix: "a b" },
    { partitions: 0 },
    { partitions: 1.5 },
    { partitions: 1025 },
  ])("are refused: %j", (options) => {
    expect(() => createKeySpace({ cluster: true, ...options })).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("two clusters on one Redis are kept apart by their prefixes", () => {
    const [one, other] = ["one:", "other:"].map((prefix) => createKeySpace({ prefix, cluster: true }));
    expect([one?.leader, other?.leader]).toEqual(["one:ha:leader", "other:ha:leader"]);
    expect(one?.partitioned(3, "x")).not.toBe(other?.partitioned(3, "x"));
  });
});
