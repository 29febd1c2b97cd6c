import { describe, expect, it } from "vitest";
import { createConnections } from "../src/connections.ts";

describe("where Redis is", () => {
  it.each([
    ["nowhere", {}, /redis:\/\/localhost:6379/],
    ["twice", { sentinel: { master: "m", nodes: ["a:1"] }, cluster: { nodes: ["a:1"] } }, /not both/],
    ["a Cluster without nodes", { cluster: { nodes: [] } }, /some nodes/],
    ["Sentinels without nodes", { sentinel: { master: "m", nodes: [] } }, /some of the Sentinels/],
    ["a node without a port", { cluster: { nodes: ["redis-1"] } }, /redis-1 as host:port/],
  ])("is refused at once: %s", (_, where, message) => {
    expect(() => createConnections(where)).toThrow(
      expect.objectContaining({ code: "invalid_options", message: expect.stringMatching(message) }),
    );
  });

  it("beside a Cluster or Sentinels a URL is of no interest", () => {
    const nodes = ["127.0.0.1:1"];
    expect(createConnections({ url: "nonsense", cluster: { nodes } }).mode).toBe("cluster");
    expect(createConnections({ url: "nonsense", sentinel: { master: "m", nodes } }).mode).toBe("sentinel");
  });
});
