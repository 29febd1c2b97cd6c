import { type MetricObjectWithValues, type MetricValue, type Registry, Summary } from "prom-client";

/** What a summary shows at a scrape. */
export interface SummaryReading {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
}

type Values = MetricObjectWithValues<MetricValue<never>>;

/** A summary whose figures are kept elsewhere and asked for at each scrape. */
class PulledSummary extends Summary {
  readonly #read: () => SummaryReading;
  readonly #about: { readonly name: string; readonly help: string };

  constructor(
    about: { readonly name: string; readonly help: string },
    registry: Registry,
    read: () => SummaryReading,
  ) {
    super({ ...about, registers: [registry] });
    this.#about = about;
    this.#read = read;
  }

  override async get(): Promise<Values> {
    const values = (await super.get()) as unknown as Values;
    const { name } = this.#about;
    const { count, sum, quantiles } = this.#read();
    const lines = [
      ...quantiles.map(({ quantile, value }) => ({ metricName: name, labels: { quantile }, value })),
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ];
    return { ...values, values: lines };
  }
}

/** Registers a summary that is read at each scrape. */
export function pullSummary(
  about: { readonly name: string; readonly help: string },
  registry: Registry,
  read: () => SummaryReading,
): void {
  new PulledSummary(about, registry, read);
}
