import pico from "picocolors";
import { expect, it } from "vitest";
import { renderFindings } from "../../src/render/findings.ts";

const colors = pico.createColors(false);
const findings = [
  { check: "leader", severity: "ok" as const, message: "node-0 leads" },
  {
    check: "drain-time",
    severity: "warning" as const,
    message: "node-0 is killed after 10s, but may drain for 30s",
    remedy: "raise terminationGracePeriodSeconds or stop_grace_period to 45s, or shorten server.drainTimeout",
  },
];

it("says what is wrong, and below it what to do", () => {
  expect(renderFindings(findings, colors).split("\n")).toEqual([
    "ok       leader      node-0 leads",
    "WARNING  drain-time  node-0 is killed after 10s, but may drain for 30s",
    "                     → raise terminationGracePeriodSeconds or stop_grace_period to 45s, or shorten server.drainTimeout",
    "",
    "1 warning",
  ]);
});

it("breaks its lines between words where the terminal is narrow", () => {
  expect(renderFindings(findings, colors, 60).split("\n")).toEqual([
    "ok       leader      node-0 leads",
    "WARNING  drain-time  node-0 is killed after 10s, but may",
    "                     drain for 30s",
    "                     → raise terminationGracePeriodSeconds",
    "                       or stop_grace_period to 45s, or",
    "                       shorten server.drainTimeout",
    "",
    "1 warning",
  ]);
});
