import { describe, expect, it } from "vitest";
import { ParallaxAgent, type ParallaxAgentOptions } from "../src/index.ts";
import { readOptions } from "../src/options.ts";
import { agentUrls } from "../src/urls.ts";

describe("controlPlaneUrl", () => {
  it.each([
    ["http://load-balancer:8080", "ws://load-balancer:8080/ws/agent"],
    ["https://parallax.example.com/", "wss://parallax.example.com/ws/agent"],
    ["https://example.com/parallax", "wss://example.com/parallax/ws/agent"],
    ["ws://host:1/ws/agent", "ws://host:1/ws/agent"],
    ["http://[::1]:8080", "ws://[::1]:8080/ws/agent"],
  ])("%s is %s", (given, url) => {
    expect(agentUrls(given)).toEqual([url]);
  });

  it("may be several", () => {
    expect(agentUrls(["http://a:1", "http://b:2"])).toEqual(["ws://a:1/ws/agent", "ws://b:2/ws/agent"]);
  });

  it.each(["", "host:8080", "ftp://host", [], ["http://a:1", "b"]])("is not %j", (given) => {
    expect(() => agentUrls(given)).toThrow(expect.objectContaining({ code: "invalid_url" }));
  });
});

describe("options", () => {
  const controlPlaneUrl = "http://a:1";

  it("have the defaults that are documented", () => {
    expect(readOptions({ controlPlaneUrl })).toMatchObject({
      reconnect: {
        enabled: true,
        maxRetries: 10,
        backoff: { initialMs: 1_000, maxMs: 30_000, multiplier: 2 },
      },
      maxConcurrentTasks: 1,
      capabilities: [],
      metadata: {},
      maxPayloadBytes: 1_048_576,
    });
  });

  it("are read as they are written in the contract, or as durations", () => {
    const backoff = { initial: 500, max: "10s", multiplier: 3 } as const;
    const reconnect = { enabled: true, maxRetries: Infinity, backoff };
    expect(readOptions({ controlPlaneUrl, reconnect }).reconnect).toEqual({
      enabled: true,
      maxRetries: Infinity,
      backoff: { initialMs: 500, maxMs: 10_000, multiplier: 3 },
    });
  });

  it("have a name that a terminal can show", () => {
    expect(readOptions({ controlPlaneUrl, name: "a\u001b[31mb\n" }).name).toBe("a [31mb ");
  });

  it.each<Partial<ParallaxAgentOptions>>([
    { maxConcurrentTasks: 0 },
    { maxConcurrentTasks: 1.5 },
    { maxConcurrentTasks: 1001 },
    { reconnect: { maxRetries: -1 } },
    { reconnect: { maxRetries: Number.NaN } },
    { reconnect: { backoff: { multiplier: 0.5 } } },
    { reconnect: { backoff: { initial: -1 } } },
    { capabilities: ["two words"] },
    { metadata: { long: "x".repeat(16_384) } },
    { metadata: { big: 1n } },
  ])("are refused when they are wrong (%#)", (wrong) => {
    const make = (): ParallaxAgent => new ParallaxAgent({ controlPlaneUrl, ...wrong });
    expect(make).toThrow(expect.objectContaining({ code: "invalid_options" }));
  });

  it("have no two handlers for a capability, and no capability that a pattern can't name", () => {
    const agent = new ParallaxAgent({ controlPlaneUrl }).onTask("a", () => ({ result: 1 }));
    expect(() => agent.onTask("a", () => ({ result: 2 }))).toThrow(
      expect.objectContaining({ code: "duplicate_handler" }),
    );
    expect(() => agent.onTask("not a name", () => ({ result: 2 }))).toThrow(
      expect.objectContaining({ code: "invalid_capability" }),
    );
    expect(() => Reflect.apply(agent.onTask, agent, ["b"])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
    expect(() => Reflect.construct(ParallaxAgent, [{}])).toThrow(
      expect.objectContaining({ code: "invalid_url" }),
    );
  });
});
