import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@parallax/core";
import type { FaultProxy, RedisFixture } from "@parallax/testing";

/** Breaks one connection after the other, each in another way, and now and then stops the server. Returns how often. */
export async function disturb(
  proxies: readonly FaultProxy[],
  redis: RedisFixture,
  random: Random,
  untilMs: number,
): Promise<number> {
  let faults = 0;
  while (performance.now() < untilMs) {
    await sleep(20 + random.next() * 80);
    const proxy = proxies[Math.floor(random.next() * proxies.length)];
    const lot = Math.floor(random.next() * 7);
    if (lot === 0) proxy?.reset();
    if (lot === 1) proxy?.blackhole("to-client");
    if (lot === 2) proxy?.blackhole("to-server");
    if (lot === 3) proxy?.hold();
    if (lot === 4) proxy?.delay(5, 30);
    if (lot === 5) redis.pause();
    if (lot === 6) void proxy?.refuse();
    faults += 1;
    await sleep(random.next() * 150);
    if (lot === 5) redis.resume();
    proxy?.pass();
  }
  return faults;
}
