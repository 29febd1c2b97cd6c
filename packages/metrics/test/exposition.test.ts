import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { negotiate, render } from "../src/exposition.ts";
import type { Family } from "../src/family.ts";
import { createMetrics } from "../src/index.ts";
import { parse } from "../src/parse.ts";
import { busStats } from "./support.ts";

describe("the choice of a format", () => {
  it.each([
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/plain", "text"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text; version=1.0.0; q=0, text/plain", "text"],
    ["application/openmetrics-text;q=0.2,text/plain;q=0.9", "text"],
    // What Prometheus sends.
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "openmetrics",
    ],
  ] as const)("takes %j for %s", (accept, format) => {
    expect(negotiate(accept)).toBe(format);
  });
});

describe("OpenMetrics", () => {
  it("ends with EOF, has no empty lines, and keeps the suffix of counters out of their names", async () => {
    const metrics = createMetrics({
      nodeId: "cp-0",
      processFigures: false,
      bus: { stats: () => busStats() },
    });
    metrics.countFenced();
    const { body, contentType } = await metrics.expose("application/openmetrics-text");
    expect(contentType).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    expect(body.endsWith("\n# EOF\n")).toBe(true);
    expect(body).not.toContain("\n\n");
    expect(body).toContain(
      "# TYPE parallax_stale_writes_rejected counter\nparallax_stale_writes_rejected_total 1\n",
    );
    expect(body).toContain("# TYPE parallax_ha_elections counter\nparallax_ha_elections_total 0\n");
    // Asking for it changes nothing for the next one, who does not.
    const plain = await metrics.expose();
    expect(plain.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(plain.body).toContain("# TYPE parallax_stale_writes_rejected_total counter\n");
    expect(plain.body).not.toContain("EOF");
    metrics.close();
  });
});

const labelValue = fc.string({ unit: fc.constantFrom("a", '"', "\\", "\n", ",", "}", "=", " ", "é") });
const value = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const gauge: fc.Arbitrary<Family> = fc
  .record({
    help: labelValue,
    rows: fc.array(fc.record({ one: labelValue, two: labelValue, value }), { maxLength: 4 }),
  })
  .map(({ help, rows }) => ({
    name: "parallax_x",
    help: help.trim(),
    type: "gauge" as const,
    samples: rows.map((row) => ({
      name: "parallax_x",
      labels: { one: row.one, two: row.two },
      value: row.value,
    })),
  }));

describe("the text format", () => {
  it("reads back as what was written, whatever is in help and labels", async () => {
    await fc.assert(
      fc.asyncProperty(gauge, async (family) => {
        const [back] = await parse((await render([family], "text")).body);
        expect(back?.samples.map(({ value: each }) => each + 0)).toEqual(
          family.samples.map(({ value: each }) => each + 0),
        );
        expect(back?.samples.map(({ labels }) => labels)).toEqual(family.samples.map(({ labels }) => labels));
        expect(back?.help.trim()).toBe(family.help);
      }),
    );
  });

  it("gathers the parts of histograms and summaries, and passes over comments and times", async () => {
    const families = await parse(
      [
        "# a comment",
        "# TYPE h histogram",
        'h_bucket{le="1"} 2',
        'h_bucket{le="+Inf"} 3 1700000000000',
        "h_sum 4.5",
        "h_count 3",
        "lonely_count 7",
        "",
      ].join("\n"),
    );
    expect(families.map(({ name, type, samples }) => [name, type, samples.length])).toEqual([
      ["h", "histogram", 4],
      ["lonely_count", "untyped", 1],
    ]);
  });

  it.each(["what is this", 'x{a="b} 1', "x{a=b} 1", "x one", "1x 2", '{"json":true}'])(
    "refuses %j",
    async (line) => {
      await expect(parse(`ok 1\n${line}\n`)).rejects.toMatchObject({ code: "invalid_exposition" });
    },
  );
});
