import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RedisConnections } from "../../src/connection.ts";
import { createKeySpace } from "../../src/key-space.ts";
import { defineScript } from "../../src/script.ts";

const append = defineScript({
  name: "test.append",
  lua: "redis.call('RPUSH', KEYS[1], ARGV[1]) return redis.call('LLEN', KEYS[1])",
});
const read = defineScript({
  name: "test.read",
  lua: "return redis.call('LRANGE', KEYS[1], 0, -1)",
  readOnly: true,
});

/** What connections are to do however Redis is deployed. */
export function describeConnections(open: () => RedisConnections): void {
  describe("connections", () => {
    let connections: RedisConnections;
    let key: (partition: number) => string;
    let count = 0;
    beforeEach(async () => {
      connections = open();
      count += 1;
      const keySpace = createKeySpace({ cluster: connections.mode === "cluster" });
      const name = `conformance:${count}`;
      key = (partition) => keySpace.partitioned(partition % keySpace.partitions, name);
      await connections.data.ready();
    });
    afterEach(() => connections.close());

    it("run a script that no server has seen, on whichever server serves its key", async () => {
      for (let partition = 0; partition < 16; partition += 1) {
        const list = `${key(partition)}:${partition}`;
        const unseen = defineScript({ name: "test.unseen", lua: `${append.lua} -- ${list}` });
        expect(await connections.data.run(unseen, [list], ["a"])).toEqual({ reply: 1, replicas: 0 });
        expect(await connections.data.run(unseen, [list], ["b"])).toEqual({ reply: 2, replicas: 0 });
        expect((await connections.data.run(read, [list], [])).reply).toEqual(["a", "b"]);
      }
    });

    it("keep the order of what is sent in one go", async () => {
      const values = Array.from({ length: 200 }, (_, index) => String(index));
      // From the first command on: NOSCRIPT makes the first ones change their places.
      await connections.data.run(append, [key(3)], ["first"]);
      await Promise.all(values.map((value) => connections.data.run(append, [key(3)], [value])));
      expect((await connections.data.run(read, [key(3)], [])).reply).toEqual(["first", ...values]);
    });

    it("say what Redis refuses, with its words", async () => {
      await connections.data.run(append, [key(1)], ["a"]);
      const wrong = connections.data.command("HGET", [key(1), "field"]);
      await expect(wrong).rejects.toMatchObject({
        code: "redis_reply",
        message: expect.stringMatching(/WRONGTYPE/),
      });
    });

    it("give every kind of reply as it is", async () => {
      const script = defineScript({
        name: "test.kinds",
        lua: "return { 1, 'two', { 'three', false }, false }",
      });
      expect((await connections.data.run(script, [key(0)], [])).reply).toEqual([
        1,
        "two",
        ["three", null],
        null,
      ]);
      expect(await connections.data.command("GET", [key(9)])).toBeNull();
    });

    it("listen on channels, and hear what other connections publish", async () => {
      const channel = `${key(0)}:news`;
      const heard: string[] = [];
      let ready = 0;
      const stop = connections.subscriber.listen(
        [channel],
        ({ payload }) => heard.push(payload),
        () => {
          ready += 1;
        },
      );
      await eventually(() => ready === 1);
      await connections.data.command("PUBLISH", [channel, "one"]);
      await eventually(() => heard.length === 1);
      connections.subscriber.recycle("the test says so");
      await eventually(() => ready === 2);
      await connections.data.command("PUBLISH", [channel, "two"]);
      await eventually(() => heard.length === 2);
      stop();
      await connections.data.command("PUBLISH", [channel, "unheard"]);
      expect(heard).toEqual(["one", "two"]);
    });

    it("are ready again after they were recycled", async () => {
      for (const connection of [connections.lease, connections.data]) {
        await connection.ready();
        connection.recycle("the test says so");
        expect(connection.state).toBe("down");
        await connection.run(append, [key(2)], ["a"]);
      }
    });

    it("show each role by its name", async () => {
      await Promise.all([connections.lease.ready(), connections.subscriber.ready()]);
      const lists = connections.mode === "cluster" ? ["lease"] : ["lease", "data", "subscriber"];
      const found = await eventually(async () => {
        const list = String(await connections.lease.command("CLIENT", ["LIST"]));
        return lists.every((role) => list.includes(`name=parallax:${role} `)) && list;
      });
      expect(found).toContain("parallax:lease");
    });

    it("refuse everything once they are closed, and leave no client behind", async () => {
      await connections.close();
      await expect(connections.data.command("PING", [])).rejects.toMatchObject({ code: "redis_closed" });
      expect(() => connections.lease).toThrow(/were closed/);
      await connections.close();
    });
  });
}
