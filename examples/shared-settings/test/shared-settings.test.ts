import { createStateStore } from "@parallax/state-store";
import { memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openNodes } from "../src/nodes.ts";
import { openSettings, type Setting } from "../src/settings.ts";
import { tour } from "../src/tour.ts";

const setting: Setting = { state: "on", percent: 10, changedBy: "a" };

async function takeTour(redisUrl: string | undefined): Promise<void> {
  const nodes = openNodes(redisUrl);
  const known = await tour(nodes.connect, () => {});
  expect(known.map((value) => [value?.state, value?.percent])).toEqual([
    ["on", 50],
    ["on", 50],
  ]);
  nodes.close();
}

describeBackend("memory", "shared settings", () => {
  it("are changed by two nodes at once, and known to both", () => takeTour(undefined));

  it("refuse what does not fit, and go on", async () => {
    const { connect } = openNodes(undefined);
    const node = connect();
    const settings = openSettings(
      node.store,
      () => {},
      () => {},
    );
    await settings.ready;
    await expect(settings.set("a", { ...setting, percent: 300 })).rejects.toMatchObject({
      code: "invalid_value",
    });
    expect(await settings.change("a", (value) => value)).toBeUndefined();
    await settings.set("a", setting);
    await settings.set("a", { ...setting, percent: 20 });
    await eventually(() => settings.get("a")?.percent === 20);
    await settings.close();
    await node.close();
  });

  it("say why they cannot be followed", async () => {
    // Without an event bus nobody tells of changes.
    const store = createStateStore({ backend: memoryRecordBackend(memoryRecordSpace()) });
    const errors: unknown[] = [];
    const settings = openSettings(
      store,
      () => {},
      (error) => errors.push(error),
    );
    await expect(settings.ready).rejects.toMatchObject({ code: "no_topic" });
    expect(errors.length).toBe(1);
    await settings.close();
    await store.close();
  });
});

describeBackend("redis-standalone", "shared settings", () => {
  let server: RedisFixture;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it("are changed by two nodes at once, and known to both", () => takeTour(server.url));

  it("are loaded anew when Redis has lost them", async () => {
    const { connect, close } = openNodes(server.url);
    const node = connect();
    const heard: string[] = [];
    const settings = openSettings(
      node.store,
      (name, value) => heard.push(`${name} ${value ? "there" : "gone"}`),
      () => {},
    );
    await settings.ready;
    await settings.set("lost", setting);
    await eventually(() => settings.get("lost") !== undefined);
    await server.send("FLUSHALL");
    await settings.set("kept", setting);
    await eventually(() => settings.get("kept") !== undefined && settings.get("lost") === undefined);
    expect(heard).toContain("lost gone");
    await settings.close();
    await node.close();
    close();
  });
});
