import { describe, expect, it } from "vitest";
import { createConnections } from "../src/connections.ts";
import { createRedirects } from "../src/redirects.ts";
import { defineScript } from "../src/script.ts";
import { slotCount, slotOf } from "../src/slot.ts";
import { type ScriptedRedis, startScriptedRedis } from "./support/scripted-redis.ts";

const script = defineScript({ name: "test.write", lua: "return redis.call('INCR', KEYS[1])" });

describe("what servers said about a slot", () => {
  it("holds until a list of slots agrees with it", () => {
    const redirects = createRedirects();
    redirects.moved(42, "b:1");
    redirects.moved(43, "b:1");
    redirects.listed((slot) => (slot === 43 ? "b:1" : "a:1"));
    expect([redirects.of(42), redirects.of(43), redirects.of(44)]).toEqual(["b:1", undefined, undefined]);
    redirects.moved(42, "c:1");
    expect(redirects.of(42)).toBe("c:1");
  });
});

describe("a Cluster whose lists of slots are old", () => {
  const portOf = ({ url }: ScriptedRedis): number => Number(new URL(url).port);

  /** The first server has all slots, as everybody says who is asked for the list. */
  function list(owner: ScriptedRedis): string {
    const server = `*2\r\n$9\r\n127.0.0.1\r\n:${portOf(owner)}\r\n`;
    return `*1\r\n*3\r\n:0\r\n:${slotCount - 1}\r\n${server}`;
  }

  function answering(owner: ScriptedRedis, reply: () => string): ScriptedRedis["answer"] {
    return ([name, verb]) => {
      if (name === "cluster" && verb?.toLowerCase() === "slots") return list(owner);
      if (name === "cluster") return "$16\r\ncluster_state:ok\r\n";
      return name === "evalsha" ? reply() : "+OK\r\n";
    };
  }

  it("does not keep a call from the server that it was sent to", async () => {
    const [old, current] = [await startScriptedRedis(), await startScriptedRedis()];
    old.answer = answering(old, () => `-MOVED ${slotOf("key")} 127.0.0.1:${portOf(current)}\r\n`);
    current.answer = answering(old, () => ":7\r\n");
    const connections = createConnections({ cluster: { nodes: [`127.0.0.1:${portOf(old)}`] } });
    expect((await connections.data.run(script, ["key"], [], { deadlineMs: 20_000 })).reply).toBe(7);
    // Nor the ones after it, which need not ask the old one first.
    const asked = old.received.filter(([name]) => name === "evalsha").length;
    expect((await connections.data.run(script, ["key"], [])).reply).toBe(7);
    expect(old.received.filter(([name]) => name === "evalsha")).toHaveLength(asked);
    await connections.close();
    await Promise.all([old.stop(), current.stop()]);
  });
});
