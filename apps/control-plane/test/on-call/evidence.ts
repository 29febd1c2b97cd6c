import { createClient } from "@parallax/client";
import type { HaStatus } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { z } from "zod";
import { parallax } from "../processes/local-cluster.ts";

const findings = z.object({
  findings: z.array(
    z.object({ check: z.string(), severity: z.string(), message: z.string(), remedy: z.string().optional() }),
  ),
});
const alerts = z.object({
  data: z.object({
    alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.string() })),
  }),
});
const samples = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});

/** How somebody on call looks at a cluster. */
export interface ClusterEvidence {
  /** `/ha/status` of one node. */
  status(url: string): Promise<HaStatus>;
  /** What the doctor finds that is not well, as `check severity: message`. */
  doctor(): Promise<readonly string[]>;
  /** The alerts that fire. */
  firing(): Promise<readonly string[]>;
  /** The value of a query. */
  query(expr: string): Promise<number>;
  /** Waits until the alert fires, or does so no more. */
  untilAlert(name: string, fires?: boolean): Promise<void>;
  /** Waits until the doctor finds something that matches, or finds it no more. */
  untilDoctor(pattern: RegExp, finds?: boolean): Promise<void>;
}

const patient = { timeoutMs: 150_000, everyMs: 2000 };

export function evidenceOf(options: {
  readonly bin: string;
  readonly urls: readonly string[];
  readonly prometheusUrl: string;
}): ClusterEvidence {
  const { urls, prometheusUrl } = options;
  const get = async (path: string): Promise<unknown> => (await fetch(`${prometheusUrl}${path}`)).json();

  async function doctor(): Promise<readonly string[]> {
    const { output } = await parallax(["doctor", "--json", "--url", urls.join(",")]);
    const [line = ""] = output.split("\n");
    return findings
      .parse(JSON.parse(line))
      .findings.filter(({ severity }) => severity !== "ok")
      .map(({ check, severity, message }) => `${check} ${severity}: ${message}`);
  }

  async function firing(): Promise<readonly string[]> {
    const { data } = alerts.parse(await get("/api/v1/alerts"));
    return data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname ?? "");
  }

  return {
    status: (url) => createClient({ url, timeout: 20_000 }).haStatus(),
    doctor,
    firing,
    async query(expr) {
      const { data } = samples.parse(await get(`/api/v1/query?query=${encodeURIComponent(expr)}`));
      return Number(data.result[0]?.value[1] ?? Number.NaN);
    },
    async untilAlert(name, fires = true) {
      const message = `${name} to ${fires ? "fire" : "fire no more"}`;
      await eventually(async () => (await firing()).includes(name) === fires, { ...patient, message });
    },
    async untilDoctor(pattern, finds = true) {
      const message = `the doctor to ${finds ? "find" : "find no more"} ${pattern}`;
      const found = async (): Promise<boolean> => (await doctor()).some((line) => pattern.test(line));
      await eventually(async () => (await found()) === finds, { ...patient, message });
    },
  };
}
