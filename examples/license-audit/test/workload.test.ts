import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AGENT_NAMES, CAPABILITY, PATTERN } from "../src/pattern.ts";
import { clientsOf, workload } from "../src/workload.ts";

describe("the workload", () => {
  it("brings the pattern that the audit runs", () => {
    const text = readFileSync(new URL(`${PATTERN}.yaml`, workload.patternsDirectory), "utf8");
    expect(text).toContain(`name: ${PATTERN}\n`);
    expect(text).toContain(`capabilities: [${CAPABILITY}]`);
    expect(text).toContain(`agents: { min: ${AGENT_NAMES.length}, max: ${AGENT_NAMES.length} }`);
  });

  it("brings one module for each agent", () => {
    expect(workload.agents.map(({ name }) => name)).toEqual(AGENT_NAMES);
    for (const { module } of workload.agents) expect(existsSync(module)).toBe(true);
  });
});

describe("clientsOf", () => {
  it("makes a client for each address, and one where none is given", () => {
    expect(clientsOf(["http://a:1", "http://b:1"])).toHaveLength(2);
    expect(clientsOf([])).toHaveLength(1);
  });

  it("lets each client ask its own address first and the others after it", async () => {
    const asked: string[] = [];
    const clients = clientsOf(["http://a:1", "http://b:1"], {
      retries: 0,
      fetch: async (url) => {
        asked.push(new URL(url).host);
        throw new TypeError("fetch failed");
      },
    });
    await expect(clients[1]?.haStatus()).rejects.toMatchObject({ code: "unreachable" });
    expect(asked).toEqual(["b:1", "a:1"]);
  });
});
