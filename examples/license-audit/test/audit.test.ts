import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, ParallaxError, systemClock } from "@parallax/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuditOptions, runAudit } from "../src/audit.ts";
import { textId } from "../src/cases.ts";
import { auditDirectly } from "../src/direct.ts";
import { methods } from "../src/methods/catalogue.ts";
import { AGENT_NAMES, PATTERN } from "../src/pattern.ts";
import { createFakeCluster, type FakeCluster, type FakeClusterOptions } from "./fake-cluster.ts";
import { bsd, isc, mit, mitWithoutTitle } from "./texts.ts";

/** Name, declared licence, text. The last one declares what its text is not. */
const installed: readonly (readonly [name: string, license: string, text: string])[] = [
  ["a", "MIT", mit],
  ["b", "MIT", mit],
  ["c", "MIT", mitWithoutTitle],
  ["d", "ISC", isc],
  ["e", "BSD-3-Clause", bsd(3, { marker: "* " })],
  ["f", "ISC", `Copyright (c) Bob\n\n${mitWithoutTitle}`],
];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "license-audit-"));
  for (const [name, license, text] of installed) {
    const folder = join(directory, "node_modules", name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", license }));
    await writeFile(join(folder, "LICENSE"), text);
  }
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Time passes by sleeping only. */
function sleepingClock(): Clock {
  let nowMs = 0;
  return {
    ...systemClock,
    now: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
}

async function audit(
  cluster: FakeCluster | FakeClusterOptions = {},
  options: Partial<AuditOptions> = {},
): ReturnType<typeof runAudit> {
  const client = "executions" in cluster ? cluster : createFakeCluster(cluster);
  return runAudit({ clients: [client], directory, clock: sleepingClock(), ...options });
}

describe("runAudit", () => {
  it("submits each unique text once, and nothing but the text", async () => {
    const cluster = createFakeCluster();
    await audit(cluster);
    expect(cluster.submissions).toHaveLength(5);
    for (const { pattern, input } of cluster.submissions) {
      expect(pattern).toBe(PATTERN);
      expect(input).toEqual({ content: expect.any(String) });
    }
  });

  it("gives an execution the same key in a repeated run, and another one in another run", async () => {
    const keys = async (runId: string): Promise<unknown[]> => {
      const cluster = createFakeCluster();
      await audit(cluster, { runId });
      return cluster.submissions.map(({ idempotencyKey }) => idempotencyKey).sort();
    };
    expect(await keys("one")).toEqual(await keys("one"));
    expect(await keys("one")).toContain(`one:${textId(isc)}`);
    expect(await keys("two")).not.toEqual(await keys("one"));
  });

  it("comes to the report of the methods alone, but for the times", async () => {
    const timeless = { elapsedMs: 0, executionsPerSecond: 0 };
    expect({ ...(await audit()), ...timeless }).toEqual({
      ...(await auditDirectly({ directory })),
      ...timeless,
    });
  });

  it("holds the vote against what the packages declare", async () => {
    const report = await audit();
    expect(report).toMatchObject({ texts: 5, packages: 6, vote: { correct: 4 }, baseline: { correct: 2 } });
    expect(report.disagreements).toMatchObject([{ truth: "ISC", vote: "MIT", packages: ["f@1.0.0"] }]);
  });

  it("deals the executions to all clients in turn", async () => {
    const clusters = [createFakeCluster(), createFakeCluster()] as const;
    await audit(clusters[0], { clients: clusters });
    expect(clusters.map(({ submissions }) => submissions.length)).toEqual([3, 2]);
  });

  it("keeps no more executions under way than it is told", async () => {
    const cluster = createFakeCluster();
    await audit(cluster, { concurrency: 2 });
    expect(cluster.mostUnderWay).toBe(2);
  });

  it("reports its progress to the end", async () => {
    const progress: string[] = [];
    await audit({}, { onProgress: ({ done, total }) => progress.push(`${done}/${total}`) });
    expect(progress).toEqual(["1/5", "2/5", "3/5", "4/5", "5/5"]);
  });

  it("counts an execution that failed against the vote, with its reason", async () => {
    const report = await audit({
      spoil: ({ input }) =>
        JSON.stringify(input) === JSON.stringify({ content: isc })
          ? {
              status: "failed",
              result: undefined,
              error: { code: "timeout", message: "too late" },
              tasks: [],
            }
          : undefined,
    });
    expect(report).toMatchObject({ failed: 1, vote: { correct: 3 } });
    expect(report.disagreements).toContainEqual(expect.objectContaining({ failure: "timeout", answers: {} }));
  });

  it("waits for the agents, and submits nothing before all three are there", async () => {
    const cluster: FakeCluster = createFakeCluster({
      connected: () => {
        expect(cluster.submissions).toHaveLength(0);
        asked += 1;
        return AGENT_NAMES.slice(0, asked);
      },
    });
    let asked = 0;
    await audit(cluster);
    expect(asked).toBe(3);
  });

  it("names the agents that did not come", async () => {
    const cluster = { connected: () => ["phrases"], disconnected: ["structure"] };
    await expect(audit(cluster)).rejects.toMatchObject({
      code: "agents_missing",
      details: { missing: ["similarity", "structure"] },
    });
  });

  it("fails at once where the cluster does not have the pattern", async () => {
    await expect(audit({ hasPattern: false })).rejects.toMatchObject({ code: "pattern_not_found" });
  });

  it("goes on when a session is forgotten before its agent could be asked for", async () => {
    const cluster = createFakeCluster();
    const agents: FakeCluster["agents"] = {
      all: cluster.agents.all,
      get: async (id) => {
        if (id === "agent_phrases")
          throw new ParallaxError("agent_not_found", "reading an agent: there is none");
        return cluster.agents.get(id);
      },
    };
    const report = await audit({ ...cluster, agents });
    expect(report.vote.correct).toBe(4);
    expect(report.agents.map(({ correct }) => correct)).toEqual([4, 0, 4]);
  });

  it("fails with the client's error when the cluster cannot be reached any more", async () => {
    const cluster = createFakeCluster();
    const executions = {
      run: async () => {
        throw new ParallaxError("unreachable", "submitting an execution: no answer");
      },
    };
    await expect(audit({ ...cluster, executions })).rejects.toMatchObject({ code: "unreachable" });
  });
});

describe("the agents", () => {
  it("are named as the methods are", () => {
    expect(methods.map(({ name }) => name)).toEqual(AGENT_NAMES);
  });
});
