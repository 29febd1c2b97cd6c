import { isParallaxError } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { type Admission, type AdmissionOptions, createAdmission } from "../../src/node/admission.ts";

describe("admission", () => {
  let clock: VirtualClock;
  let draining: AbortController;
  beforeEach(() => {
    clock = createVirtualClock();
    draining = new AbortController();
  });

  function admission(changes: Partial<AdmissionOptions> = {}): Admission {
    return createAdmission({
      clock,
      health: healthOf({}),
      store: { admits: async () => true },
      isConnected: () => true,
      draining: draining.signal,
      open: () => 0,
      maxOpen: 10,
      isLineFull: () => false,
      memoryShare: () => 0.5,
      ...changes,
    });
  }

  function healthOf({
    state = "ready",
    redis = "pass",
  }: {
    state?: "starting" | "ready";
    redis?: "pass" | "fail";
  }) {
    const checks = { redis: { status: redis, atMs: 0 } };
    const snapshot = { state, status: "pass", ready: true, live: true, checks } as const;
    return { snapshot: () => snapshot };
  }

  async function outcome(of: Admission): Promise<string> {
    try {
      await of.admit();
      return "admitted";
    } catch (error) {
      return isParallaxError(error) ? error.code : String(error);
    }
  }

  it.each<[string, () => Partial<AdmissionOptions>, string]>([
    ["takes what there is room for", () => ({}), "admitted"],
    ["takes nothing while the node starts", () => ({ health: healthOf({ state: "starting" }) }), "not_ready"],
    [
      "takes nothing while Redis is known to be away",
      () => ({ health: healthOf({ redis: "fail" }) }),
      "redis_unavailable",
    ],
    [
      "takes nothing from the moment that its connection is lost",
      () => ({ isConnected: () => false }),
      "not_ready",
    ],
    ["takes the last one that fits", () => ({ open: () => 9 }), "admitted"],
    ["takes none beyond the open ones that it may have", () => ({ open: () => 10 }), "overloaded"],
    ["takes none while the line of tasks is full", () => ({ isLineFull: () => true }), "overloaded"],
    ["takes none while its memory is nearly used up", () => ({ memoryShare: () => 0.9 }), "overloaded"],
    [
      "takes none while the store is nearly full",
      () => ({ store: { admits: async () => false } }),
      "store_full",
    ],
  ])("%s", async (_, changes, expected) => {
    expect(await outcome(admission(changes()))).toBe(expected);
  });

  it("serves stragglers of a drain whatever this node still has: others take their executions", async () => {
    draining.abort();
    expect(await outcome(admission({ open: () => 10, memoryShare: () => 1 }))).toBe("admitted");
  });

  it("looks at its memory once a second, and admits again when there is some", async () => {
    let share = 0.9;
    let looks = 0;
    const full = admission({
      memoryShare() {
        looks += 1;
        return share;
      },
    });
    for (let times = 0; times < 100; times += 1) expect(await outcome(full)).toBe("overloaded");
    expect(looks).toBe(1);
    share = 0.5;
    await clock.advance(1000);
    expect(await outcome(full)).toBe("admitted");
  });
});
