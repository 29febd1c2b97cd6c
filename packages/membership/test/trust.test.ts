import { describe, expect, it } from "vitest";
import { createTrust, type Trust } from "../src/trust.ts";

/** Two good readings, a second apart, each with a round trip of 10 ms. */
function trusting(): Trust {
  const trust = createTrust(5000);
  trust.read({ sentMs: 0, receivedMs: 10, storeTimeMs: 100_000 });
  trust.read({ sentMs: 1000, receivedMs: 1010, storeTimeMs: 101_000 });
  return trust;
}

describe("M5: the trust of a node in itself", () => {
  it("needs two readings of the store's clock", () => {
    const trust = createTrust(5000);
    expect(trust.believed(0, 3000)).toBeUndefined();
    trust.read({ sentMs: 0, receivedMs: 10, storeTimeMs: 100_000 });
    expect(trust.believed(20, 3000)).toBeUndefined();
  });

  it("says when a sweep may arrive: not before its sending and not after it is given up, a second aside", () => {
    expect(trusting().believed(2000, 3000)).toEqual({ notBeforeMs: 100_990, notAfterMs: 106_000 });
  });

  it.each([
    ["ahead", 3500],
    ["back", 900],
  ])(
    "ends when the store's clock goes %s by more than a second, and returns with the next good reading",
    (_, passedMs) => {
      const trust = trusting();
      const storeTimeMs = 101_000 + passedMs;
      trust.read({ sentMs: 3000, receivedMs: 3020, storeTimeMs });
      expect(trust.believed(3100, 3000)).toBeUndefined();
      trust.read({ sentMs: 4000, receivedMs: 4020, storeTimeMs: storeTimeMs + 1000 });
      expect(trust.believed(4100, 3000)).toBeDefined();
    },
  );

  it("does not take the way of a request for a disagreement", () => {
    const trust = trusting();
    trust.read({ sentMs: 3000, receivedMs: 5400, storeTimeMs: 106_300 });
    expect(trust.believed(5500, 3000)).toBeDefined();
  });

  it("ends with a slow round trip or a late timer, and returns", () => {
    const trust = trusting();
    trust.late(2501);
    expect(trust.believed(2000, 3000)).toBeUndefined();
    trust.late(0);
    expect(trust.believed(2000, 3000)).toBeDefined();
    trust.read({ sentMs: 3000, receivedMs: 5600, storeTimeMs: 104_000 });
    expect(trust.believed(5700, 3000)).toBeUndefined();
  });
});
