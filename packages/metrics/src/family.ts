/** The kinds of the text format. */
export type FamilyType = "counter" | "gauge" | "histogram" | "summary" | "untyped";

/** One line of a family. */
export interface Sample {
  /** The family's name, or with the suffix `_bucket`, `_sum` or `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples that belong together, as a scrape shows them. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly samples: readonly Sample[];
}

/** A family with one sample of its own name for each entry; what has no value now is left out. */
export function family(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: readonly {
    readonly value: number | undefined;
    readonly labels?: Readonly<Record<string, string>>;
  }[],
): Family {
  const present = samples.flatMap(({ value, labels = {} }) =>
    value === undefined ? [] : [{ name, labels, value }],
  );
  return { name, help, type, samples: present };
}

const types: ReadonlyMap<string, FamilyType> = new Map(
  (["counter", "gauge", "histogram", "summary"] as const).map((type) => [type, type]),
);

/** The type of that name; `untyped` for any other. */
export function familyType(name: string): FamilyType {
  return types.get(name) ?? "untyped";
}
