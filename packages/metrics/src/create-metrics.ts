import { noopLogger, ParallaxError, safeOnError, systemClock } from "@parallax/core";
import { negotiate, render } from "./exposition.ts";
import { type Family, family } from "./family.ts";
import { highAvailabilityFamilies } from "./high-availability.ts";
import { createInstruments } from "./instruments.ts";
import type { Figure, Metrics, MetricsOptions } from "./metrics.ts";

/**
 * Makes the instruments of a node.
 *
 * @example
 * const metrics = createMetrics({ nodeId, election, membership, bus });
 * app.get("/metrics", async (request) => {
 *   const { body, contentType } = await metrics.expose(request.headers.get("accept") ?? undefined);
 *   return new Response(body, { headers: { "Content-Type": contentType } });
 * });
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const { nodeId, processFigures = true, clock = systemClock } = options;
  const onError = safeOnError(options.onError ?? (() => {}), noopLogger);
  if (typeof nodeId !== "string" || nodeId === "")
    throw new ParallaxError("invalid_options", "making metrics: set nodeId to the name of this node");
  const instruments = createInstruments({ processFigures });
  const figures = new Map<string, Figure & { readonly type: "gauge" | "counter" }>();
  let errors = 0;
  let lastScrapeMs: number | undefined;

  /** One source that throws must not hide all the others. */
  function attempt(read: () => Family[]): Family[] {
    try {
      return read();
    } catch (error) {
      errors += 1;
      onError(error);
      return [];
    }
  }

  async function families(): Promise<Family[]> {
    const pulled = [
      ...attempt(() => highAvailabilityFamilies(options)),
      ...[...figures.values()].flatMap(({ type, name, help, read }) =>
        attempt(() => [family(type, name, help, [{ value: read() }])]),
      ),
    ];
    const help = "Figures that could not be read at a scrape.";
    const unread = family("counter", "parallax_metrics_errors_total", help, [{ value: errors }]);
    const took = family(
      "gauge",
      "parallax_metrics_scrape_seconds",
      "Time that this node's last scrape took.",
      [{ value: lastScrapeMs === undefined ? undefined : lastScrapeMs / 1000 }],
    );
    return [...pulled, unread, took, ...(await instruments.families())];
  }

  function add(type: "gauge" | "counter", figure: Figure): void {
    const { name } = figure;
    const isReserved = name.startsWith("parallax_ha_") || name.startsWith("parallax_cluster_");
    if (!/^parallax_[a-z0-9_]+$/.test(name) || isReserved)
      refuse(name, "begin with parallax_ and be its own, in lower case with underscores");
    if (name.endsWith("_total") !== (type === "counter"))
      refuse(name, "end in _total where it is a counter, and only there");
    if (figures.has(name) || instruments.has(name)) refuse(name, "be taken by no other figure");
    figures.set(name, { ...figure, type });
  }

  return {
    ...instruments,
    async expose(accept) {
      const startedMs = clock.now();
      const exposition = await render(await families(), negotiate(accept));
      lastScrapeMs = clock.now() - startedMs;
      return exposition;
    },
    gauge: (figure) => add("gauge", figure),
    counter: (figure) => add("counter", figure),
  };
}

function refuse(name: string, right: string): never {
  throw new ParallaxError("invalid_metric", `adding the figure ${name}: its name has to ${right}`, {
    details: { name },
  });
}
