import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import type { Delivery } from "../../src/executions/broker.ts";
import { createDeliveries, type Deliveries } from "../../src/executions/deliveries.ts";
import { startMs } from "../support/records.ts";

const taskId = "exec_1:0";

function delivery(attempt = 1, agentId = `agent_${attempt}`): Delivery {
  const what = { pattern: "p", capabilities: ["c"], input: 1, deadlineAtMs: startMs, resend: false };
  return { taskId, attempt, agentId, nodeId: "node-0", ...what };
}

describe("deliveries", () => {
  let clock: VirtualClock;
  let deliveries: Deliveries;
  /** What was sent, cancelled and given up, in order. */
  let told: string[];
  let answered: Set<number>;

  beforeEach(() => {
    clock = createVirtualClock();
    [told, answered] = [[], new Set()];
    deliveries = createDeliveries({
      clock,
      graceMs: 5000,
      courier: {
        deliver: ({ attempt, resend }) => told.push(`send ${attempt}${resend ? " again" : ""}`),
        cancel: ({ attempt, agentId }) => told.push(`cancel ${attempt} at ${agentId}`),
      },
      isAnswered: (_, attempt) => answered.has(attempt),
      onLost: (_, attempt) => told.push(`lost ${attempt}`),
    });
  });

  it("sends a task once when its agent accepts it", async () => {
    deliveries.track(taskId, delivery());
    deliveries.track(taskId, delivery());
    deliveries.accepted(taskId, 1);
    await clock.advance(60_000);
    expect(told).toEqual(["send 1"]);
    expect(clock.timers).toBe(0);
  });

  it("sends it again until it is accepted, saying that the agent may have moved", async () => {
    deliveries.track(taskId, delivery());
    await clock.advance(4500);
    deliveries.accepted(taskId, 1);
    await clock.advance(60_000);
    expect(told).toEqual(["send 1", "send 1 again", "send 1 again"]);
  });

  it("sends nothing more, and gives nothing up, once its agent has answered", async () => {
    deliveries.track(taskId, delivery());
    await clock.advance(1500);
    answered.add(1);
    await clock.advance(60_000);
    expect(told).toEqual(["send 1"]);
    expect(clock.timers).toBe(0);
  });

  it("gives the attempt up exactly when the grace is over", async () => {
    deliveries.track(taskId, delivery());
    await clock.advance(4999);
    expect(told).not.toContain("lost 1");
    await clock.advance(1);
    expect(told).toEqual(["send 1", "send 1 again", "send 1 again", "lost 1"]);
    expect(clock.timers).toBe(0);
  });

  it("does not take the acceptance of an earlier attempt for one of the present", async () => {
    deliveries.track(taskId, delivery(2));
    deliveries.accepted(taskId, 1);
    deliveries.accepted("exec_9:0", 2);
    await clock.advance(2000);
    expect(told).toEqual(["send 2", "send 2 again"]);
  });

  it("calls the former agent back when another attempt takes its place", () => {
    deliveries.track(taskId, delivery(1));
    deliveries.track(taskId, delivery(2));
    expect(told).toEqual(["send 1", "cancel 1 at agent_1", "send 2"]);
  });

  it("calls the agent back when the task is not wanted any more", () => {
    deliveries.track(taskId, delivery(1));
    deliveries.accepted(taskId, 1);
    deliveries.track(taskId, undefined);
    deliveries.track(taskId, undefined);
    expect(told).toEqual(["send 1", "cancel 1 at agent_1"]);
  });

  it("says nothing to an agent that has answered", () => {
    deliveries.track(taskId, delivery(1));
    answered.add(1);
    deliveries.track(taskId, undefined);
    expect(told).toEqual(["send 1"]);
  });

  it("forgets all when it is stopped, and lets the agents go on", async () => {
    deliveries.track(taskId, delivery(1));
    deliveries.stop();
    await clock.advance(60_000);
    expect(told).toEqual(["send 1"]);
    expect(clock.timers).toBe(0);
  });
});
