import { createServer } from "node:http";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import {
  type CheckFinding,
  createHealth,
  type Health,
  type HealthOptions,
  type LifeCycleState,
  nodeHandler,
} from "../src/index.ts";

interface Case {
  readonly clock: VirtualClock;
  readonly health: Health;
  readonly states: LifeCycleState[];
}

/** The loop's, running totals. A test may make it busy. */
const usage = { active: 0, idle: 0 };

function make(options: HealthOptions = {}): Case {
  const clock = createVirtualClock();
  const health = createHealth({ clock, overload: { usage: () => ({ ...usage }) }, ...options });
  const states: LifeCycleState[] = [];
  health.subscribe((state) => states.push(state));
  return { clock, health, states };
}

function statusOf(health: Health, path: string): number {
  return health.handle({ url: path, method: "GET" }).status;
}

async function bodyOf(health: Health, path: string): Promise<Record<string, unknown>> {
  return (await health.handle({ url: path, method: "GET" }).json()) as Record<string, unknown>;
}

describe("readiness", () => {
  it("follows the life cycle: not before the start is over, not from the drain on", async () => {
    const { health, states } = make();
    expect(statusOf(health, "/health/ready")).toBe(503);
    health.markReady();
    expect(statusOf(health, "/health/ready")).toBe(200);
    health.markDraining();
    expect(statusOf(health, "/health/ready")).toBe(503);
    expect(await bodyOf(health, "/health/ready")).toMatchObject({ status: "fail", state: "draining" });
    health.markReady();
    expect(health.snapshot().state).toBe("draining");
    health.markStopped();
    expect(states).toEqual(["ready", "draining", "stopped"]);
    health.close();
  });

  it("stays 200 with a warning while a critical check fails within its grace, then 503, and returns at once", async () => {
    let finding: CheckFinding = { status: "pass" };
    const { clock, health, states } = make();
    const check = { name: "redis", intervalMs: 1000, graceMs: 30_000, run: () => finding };
    health.check(check);
    await clock.advance(10);
    health.markReady();
    finding = { status: "fail", output: "no answer; look at Redis" };
    await clock.advance(1000);
    expect(statusOf(health, "/health/ready")).toBe(200);
    expect(await bodyOf(health, "/health/ready")).toEqual({
      status: "warn",
      state: "degraded",
      output: "redis: no answer; look at Redis",
    });
    await clock.advance(29_000);
    expect(statusOf(health, "/health/ready")).toBe(200);
    await clock.advance(2000);
    expect(statusOf(health, "/health/ready")).toBe(503);
    expect(await bodyOf(health, "/health/ready")).toMatchObject({ status: "fail" });
    finding = { status: "pass" };
    await clock.advance(1000);
    expect(statusOf(health, "/health/ready")).toBe(200);
    expect(states).toEqual(["ready", "degraded", "ready"]);
    health.close();
  });

  it("is not lost for a check that only warns, or whose severity is a warning", async () => {
    const { clock, health } = make();
    health.markReady();
    health.check({ name: "disk", run: () => ({ status: "warn" }) });
    health.check({ name: "peers", severity: "warning", run: () => ({ status: "fail" }) });
    await clock.advance(60_000);
    expect(health.snapshot()).toMatchObject({ state: "degraded", status: "warn", ready: true });
    health.close();
  });

  it("waits for the first look of a critical check that has no grace", async () => {
    const { clock, health } = make();
    health.check({ name: "lease", run: () => ({ status: "pass" }) });
    health.markReady();
    expect(health.snapshot().ready).toBe(false);
    await clock.advance(1);
    expect(health.snapshot().ready).toBe(true);
    health.close();
  });
});

describe("overload", () => {
  it("degrades, is told, and passes", async () => {
    const { clock, health, states } = make();
    health.markReady();
    usage.active += 5000;
    await clock.advance(5000);
    expect(health.snapshot()).toMatchObject({ state: "degraded", ready: true });
    expect(await bodyOf(health, "/health/ready")).toMatchObject({
      output: expect.stringContaining("event loop is overloaded"),
    });
    usage.idle += 5000;
    await clock.advance(5000);
    expect(states).toEqual(["ready", "degraded", "ready"]);
    health.close();
  });
});

describe("liveness", () => {
  it("does not depend on any check, nor on the life cycle", async () => {
    const { clock, health } = make();
    health.check({ name: "redis", run: () => Promise.reject(new Error("gone")) });
    await clock.advance(600_000);
    expect(statusOf(health, "/health/live")).toBe(200);
    health.markDraining();
    health.markStopped();
    expect(await bodyOf(health, "/health/live")).toEqual({ status: "pass" });
    health.close();
  });
});

describe("a check", () => {
  it("fails when it throws, at once or later", async () => {
    const { clock, health } = make();
    health.check({
      name: "sync",
      run: () => {
        throw new Error("no disk");
      },
    });
    health.check({ name: "async", run: () => Promise.reject(new Error("no link")) });
    await clock.advance(1);
    expect(health.snapshot().checks).toMatchObject({
      sync: { status: "fail", output: "no disk" },
      async: { status: "fail", output: "no link" },
    });
    health.close();
  });

  it("fails when it hangs, is given up, and is run again", async () => {
    const signals: AbortSignal[] = [];
    const { clock, health } = make();
    const check = { name: "slow", intervalMs: 1000, timeoutMs: 500 };
    health.check({
      ...check,
      run: (signal) => {
        signals.push(signal);
        return signals.length === 1 ? new Promise(() => {}) : { status: "pass" };
      },
    });
    await clock.advance(499);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(2);
    expect(signals[0]?.aborted).toBe(true);
    expect(health.snapshot().checks.slow?.status).toBe("fail");
    await clock.advance(1000);
    expect(health.snapshot().checks.slow?.status).toBe("pass");
    health.close();
  });

  it("is never run by a handler: what is shown is the last finding, with its time", async () => {
    let runs = 0;
    const { clock, health } = make();
    const check = { name: "counted", intervalMs: 5000 };
    health.check({
      ...check,
      run: () => {
        runs += 1;
        return { status: "pass", observedValue: runs, observedUnit: "runs" };
      },
    });
    await clock.advance(1);
    for (let count = 0; count < 100; count += 1) statusOf(health, "/health");
    expect(runs).toBe(1);
    expect(await bodyOf(health, "/health")).toMatchObject({
      checks: {
        counted: [
          { status: "pass", observedValue: 1, observedUnit: "runs", time: "2026-01-01T00:00:00.000Z" },
        ],
      },
    });
    health.close();
  });

  it("ends when it is taken away or replaced, and everything ends on close", async () => {
    const seen: string[] = [];
    const { clock, health } = make();
    const run = (name: string) => () => {
      seen.push(name);
      return { status: "pass" } as const;
    };
    const first = health.check({ name: "same", intervalMs: 1000, run: run("first") });
    await clock.advance(1500);
    const second = health.check({ name: "same", intervalMs: 1000, run: run("second") });
    first();
    await clock.advance(1500);
    expect(Object.keys(health.snapshot().checks)).toEqual(["same", "event-loop"]);
    second();
    await clock.advance(5000);
    expect(seen).toEqual(["first", "first", "second", "second"]);
    health.check({ name: "other", run: run("other") });
    health.close();
    expect(clock.timers).toBe(0);
  });
});

describe("the handlers", () => {
  it("name the service, speak health+json, and are not cached", async () => {
    const { health } = make({ serviceId: "cp-0", version: "1.2.3" });
    health.markReady();
    const response = health.handle({ url: "http://localhost:8080/health?verbose", method: "GET" });
    expect(response.headers.get("content-type")).toBe("application/health+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ status: "pass", serviceId: "cp-0", version: "1.2.3" });
    health.close();
  });

  it("answer HEAD without a body, refuse other methods, and leave other paths to others", async () => {
    const { health } = make();
    const head = health.handle({ url: "/health/ready", method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([503, ""]);
    const post = health.handle({ url: "/health", method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(statusOf(health, "/health/other")).toBe(404);
    expect(statusOf(health, "/")).toBe(404);
    health.close();
  });

  it("serve node:http", async () => {
    const health = createHealth();
    health.markReady();
    const server = createServer(nodeHandler(health));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const answers = await Promise.all(
      ["/health", "/health/live", "/nothing"].map((path) => fetch(`http://127.0.0.1:${port}${path}`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404]);
    expect(await answers[0]?.json()).toMatchObject({ status: "pass", state: "ready" });
    await new Promise((resolve) => server.close(resolve));
    health.close();
  });
});

describe("a check that is written wrongly", () => {
  const run = async (): Promise<{ status: "pass" }> => ({ status: "pass" });
  it.each([
    {},
    { name: "", run },
    { name: "database" },
    { name: "database", run, intervalMs: "5s" },
    { name: "database", run, intervalMs: 0 },
    { name: "database", run, timeoutMs: Number.NaN },
    { name: "database", run, graceMs: -1 },
  ])("is refused: %j", (check) => {
    const health = createHealth();
    expect(() => Reflect.apply(health.check, health, [check])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
    health.close();
  });

  it("fails where it returns no status", async () => {
    const { health, clock } = make();
    Reflect.apply(health.check, health, [{ name: "database", run: async () => {} }]);
    await clock.advance(1);
    expect(health.snapshot().checks.database).toMatchObject({
      status: "fail",
      output: "it returned no status of pass, warn or fail",
    });
    health.close();
  });
});
