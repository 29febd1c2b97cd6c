import { type RedisFixture, startRedis } from "@parallax/testing";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { appendEventsLua, eventLogKeys, openEventLogLua, rfc3339Lua } from "../src/event-log.ts";
import { createKeySpace } from "../src/key-space.ts";

let server: RedisFixture;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await client.config("SET", "maxmemory", "0");
  await client.flushall();
});

const minute = 60_000;
const script = `${appendEventsLua}
local events = {}
for index = 5, #ARGV do events[#events + 1] = { tag = ARGV[index], json = '{"type":"x"}' } end
if ARGV[4] == 'write first' then redis.call('SET', 'mine', '1') end
local first, last = append_events(KEYS[1], KEYS[2], 'channel', 'topic', 0, tonumber(ARGV[1]), ARGV[2], events,
  tonumber(ARGV[3]), ${minute})
return { first, last }
`;

let epochs = 0;
interface Append {
  readonly atMs?: number;
  readonly maxEntries?: number;
  readonly writeFirst?: boolean;
}
async function append(tags: readonly string[], options: Append = {}, on: Redis = client): Promise<unknown> {
  const { atMs = 0, maxEntries = 1000, writeFirst = false } = options;
  epochs += 1;
  const args = [atMs, `epoch${epochs}`, maxEntries, writeFirst ? "write first" : "", ...tags];
  return on.eval(script, 2, "meta", "log", ...args);
}
const chain = async (): Promise<string[]> =>
  (await client.xrange("log", "-", "+")).map(([id, [, tag, , previous]]) => `${id} ${previous}>${tag}`);

describe("the keys of a log", () => {
  it("lie in the topic's partition, or beside the coordination keys", () => {
    const keySpace = createKeySpace({ cluster: true });
    const tag = /\{.*\}/;
    const inPartition = eventLogKeys(keySpace, "execution", 3);
    expect(tag.exec(inPartition.meta)?.[0]).toBe(tag.exec(keySpace.partitioned(3, "x"))?.[0]);
    expect(tag.exec(inPartition.log)?.[0]).toBe(tag.exec(keySpace.partitioned(3, "x"))?.[0]);
    const coordination = eventLogKeys(keySpace, "cluster", "coordination");
    expect([coordination.meta, coordination.log]).toEqual([
      "{parallax:ha:leader}:log:cluster:meta",
      "{parallax:ha:leader}:log:cluster",
    ]);
  });

  it("use the contract's channels in every mode", () => {
    for (const cluster of [false, true])
      for (const topic of ["execution", "agent", "cluster"])
        expect(eventLogKeys(createKeySpace({ cluster }), topic, 0).channel).toBe(`parallax:events:${topic}`);
  });
});

describe("RFC 3339 in Lua", () => {
  it("equals what JavaScript writes, from 1970 to 9999", async () => {
    const first = 0;
    const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
    const dates = fc.sample(fc.integer({ min: first, max: last }), 3000);
    const leapDays = [1972, 2000, 2024, 2100, 2400].flatMap((year) => [
      Date.UTC(year, 1, 28, 23, 59, 59, 999),
      Date.UTC(year, 2, 1),
    ]);
    const all = [first, last, ...leapDays, ...dates];
    const lua = `${rfc3339Lua}
local out = {}
for index, ms in ipairs(ARGV) do out[index] = rfc3339(tonumber(ms)) end
return out`;
    expect(await client.eval(lua, 0, ...all)).toEqual(all.map((ms) => new Date(ms).toISOString()));
  });
});

describe("appending", () => {
  it("returns the first and the last sequence", async () => {
    expect(await append(["a", "b"])).toEqual([1, 2]);
    expect(await append(["c"])).toEqual([3, 3]);
    expect(await chain()).toEqual(["1-0 >a", "2-0 a>b", "3-0 b>c"]);
  });

  it("of nothing changes nothing", async () => {
    await append(["a"]);
    expect(await append([])).toEqual([2, 1]);
    expect(await chain()).toEqual(["1-0 >a"]);
  });

  it("names each entry's predecessor, whatever travels together (E4)", async () => {
    await append(["a"]);
    await append(["b", "c", "d"]);
    expect(await chain()).toEqual(["1-0 >a", "2-0 a>b", "3-0 b>c", "4-0 c>d"]);
  });

  it("shows the same millisecond in entry and message, though Redis counts microseconds", async () => {
    const listener = new Redis(server.url);
    await listener.subscribe("channel");
    const heard = new Promise<string>((resolve) =>
      listener.once("message", (_, payload: string) => resolve(payload)),
    );
    await append(["a"], { atMs: 1_763_932_799_999.75 });
    const message: { events: { at: string }[] } = JSON.parse(await heard);
    listener.disconnect();
    const [[, fields] = []] = await client.xrange("log", "-", "+");
    expect(fields?.[5]).toBe("1763932799999");
    expect(message.events[0]?.at).toBe(new Date(1_763_932_799_999).toISOString());
  });

  it("cuts what is older than the log may keep", async () => {
    for (let second = 0; second < 90; second += 1) await append([`t${second}`], { atMs: second * 1000 });
    const [[oldest] = []] = await client.xrange("log", "-", "+", "COUNT", 1);
    expect(oldest).toBe("30-0");
  });

  it("cuts more than a hundred old entries in steps, and never what is young", async () => {
    await append(Array.from({ length: 250 }, (_, index) => `t${index}`));
    for (const left of [152, 54, 2, 3]) {
      await append(["new"], { atMs: 2 * minute });
      expect(await client.xlen("log")).toBeLessThanOrEqual(left + 2);
    }
    expect((await chain()).every((entry) => entry.endsWith("new"))).toBe(true);
  });

  it("cuts the log to its length in whole nodes", async () => {
    for (let index = 0; index < 30; index += 1)
      await append(
        Array.from({ length: 50 }, (_, tag) => `t${index}-${tag}`),
        { maxEntries: 500 },
      );
    const length = await client.xlen("log");
    expect(length).toBeGreaterThanOrEqual(500);
    expect(length).toBeLessThan(700);
  });
});

describe("what lies under the keys and is no log makes room for a new epoch", () => {
  const epoch = (): Promise<string | null> => client.hget("meta", "epoch");

  it.each<[string, () => Promise<unknown>]>([
    ["the meta hash is gone", () => client.del("meta")],
    ["the meta hash is behind the stream", () => client.hset("meta", "sequence", "1")],
    ["the meta hash is no hash", () => client.multi().del("meta").set("meta", "x").exec()],
    ["the meta hash has no number", () => client.hset("meta", "sequence", "x")],
    ["the meta hash has lost its tag", () => client.hdel("meta", "tag")],
    ["the stream is no stream", () => client.multi().del("log").set("log", "x").exec()],
  ])("when %s", async (_, damage) => {
    await append(["a", "b", "c"]);
    const before = await epoch();
    await damage();
    expect(await append(["d", "e"])).toEqual([1, 2]);
    expect(await chain()).toEqual(["1-0 >d", "2-0 d>e"]);
    expect(await epoch()).not.toBe(before);
  });

  it("but a stream that was deleted alone keeps its numbers", async () => {
    await append(["a", "b"]);
    await client.del("log");
    expect(await append(["c"])).toEqual([3, 3]);
    expect(await chain()).toEqual(["3-0 b>c"]);
  });
});

describe("a script that has written already", () => {
  it("is not torn when publishing is forbidden", async () => {
    await client.call("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "+@all", "resetchannels");
    const quiet = new Redis(server.url, { username: "quiet", password: "secret" });
    expect(await append(["a"], { writeFirst: true }, quiet)).toEqual([1, 1]);
    quiet.disconnect();
    expect([await client.get("mine"), await client.xlen("log")]).toEqual(["1", 1]);
  });

  it("is not torn when memory runs out: it is refused before it writes", async () => {
    await append(["a"]);
    await client.config("SET", "maxmemory", "1");
    await expect(append(["b"], { writeFirst: true })).rejects.toThrow(/OOM/);
    await expect(append(["b"])).rejects.toThrow(/OOM/);
    await client.config("SET", "maxmemory", "0");
    expect([await client.get("mine"), await chain()]).toEqual([null, ["1-0 >a"]]);
  });
});

describe("opening", () => {
  const open = (candidate: string): Promise<unknown> =>
    client.eval(
      `${openEventLogLua}
local epoch, sequence, tag = open_event_log(KEYS[1], KEYS[2], 0, ARGV[1])
return { epoch, sequence, tag }`,
      2,
      "meta",
      "log",
      candidate,
    );

  it("begins an epoch once, and then reads", async () => {
    expect(await open("one")).toEqual(["one", 0, ""]);
    expect(await open("other")).toEqual(["one", 0, ""]);
    await append(["a"]);
    expect(await open("other")).toEqual(["one", 1, "a"]);
  });
});
