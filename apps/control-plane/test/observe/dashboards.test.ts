import { readFileSync } from "node:fs";
import { noopLogger } from "@parallax/core";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { redisBackends } from "../../src/backends.ts";
import { loadConfig } from "../../src/config/load.ts";
import { runNode } from "../../src/node/run-node.ts";
import { settingsOf, workPattern } from "../support/local-nodes.ts";
import { call } from "../support/requests.ts";
import { runAgentOnce } from "../support/run-agent.ts";

const deploy = (path: string): string =>
  readFileSync(new URL(`../../../../deploy/${path}`, import.meta.url), "utf8");

const queries = z.object({ expr: z.string() });
const dashboard = z
  .object({
    panels: z.array(z.object({ title: z.string(), targets: z.array(queries).default([]) })),
    annotations: z.object({ list: z.array(queries) }),
  })
  .parse(JSON.parse(deploy("grafana/parallax.json")));
const alerts = z
  .object({ groups: z.array(z.object({ rules: z.array(queries.extend({ alert: z.string() })) })) })
  .parse(parse(deploy("prometheus/alerts.yml")));

/** Every query, with what asks it. */
const asked: readonly (readonly [string, string])[] = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ...dashboard.annotations.list.map(({ expr }) => ["annotation", expr] as const),
  ...alerts.groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => [alert, expr] as const)),
];

/** What Prometheus adds to a sample itself. */
const ofTheScrape = new Set(["instance", "job"]);

describeBackend("redis-standalone", "dashboards and alerts", () => {
  let redis: RedisFixture;
  let exposed = "";

  beforeAll(async () => {
    redis = await startRedis();
    const settings = {
      "node.id": "node-0",
      "server.port": 0,
      "server.drainTimeout": "1s",
      "redis.url": redis.url,
      "highAvailability.enabled": true,
      "highAvailability.leaderElection.leaseDuration": "500ms",
    };
    const { config } = loadConfig({ environment: {}, flags: settingsOf(settings) });
    const stop = new AbortController();
    const backends = redisBackends(config, noopLogger, () => {});
    const run = (url: string): Promise<void> =>
      use(url).then((text) => {
        exposed = text;
        stop.abort();
      });
    let used: Promise<void> = Promise.resolve();
    const onReady = ({ url }: { readonly url: string }): void => {
      used = run(url).catch(() => stop.abort());
    };
    await runNode({ config, backends, logger: noopLogger, onReady }, stop.signal);
    await used;
  });
  afterAll(() => redis.stop());

  /** Does a little of everything that is measured, and returns what is shown then. */
  async function use(url: string): Promise<string> {
    await call(`${url}/api/patterns/echo`, { method: "PUT", body: workPattern("echo") });
    await runAgentOnce(url, "echo");
    await call(`${url}/api/executions/exec_none`);
    return eventually(async () => {
      const { text } = await call(`${url}/metrics`);
      const isComplete = text.includes("duty_duration_seconds_count{") && text.includes("disconnects_total{");
      return isComplete && text;
    });
  }

  it.each(asked)("%s asks for nothing that nodes do not export: %s", (_, expr) => {
    const names = new Set(expr.match(/\b(?:parallax|process|nodejs)_[a-z0-9_]+/g) ?? []);
    expect(names.size, "figures in the query").toBeGreaterThan(0);
    const labels = new Set<string>();
    for (const name of names) {
      const declared = name.replace(/_(?:bucket|sum|count)$/, "");
      expect(exposed, name).toMatch(new RegExp(`^# TYPE (?:${name}|${declared}) `, "m"));
      const samples = exposed.match(new RegExp(`^${name}\\{.*\\}`, "gm")) ?? [];
      for (const sample of samples)
        for (const [, label] of sample.matchAll(/[{,](\w+)="/g)) labels.add(String(label));
    }
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => String(list).split(","));
    const matched = [...expr.matchAll(/[{,]\s*(\w+)\s*=~?"/g)].map(([, label]) => String(label));
    for (const label of [...grouped.map((each) => each.trim()), ...matched])
      if (!ofTheScrape.has(label)) expect([...labels], `labels of ${[...names].join(", ")}`).toContain(label);
  });

  it("point to runbooks that are there", () => {
    const links = deploy("prometheus/alerts.yml").match(/docs\/operations\/[\w-]+\.md/g) ?? [];
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) expect(() => deploy(`../${link}`), link).not.toThrow();
  });
});
