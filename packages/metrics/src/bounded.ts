/** Values beyond this many become `other`: one label must not fill the memory of whoever scrapes. */
const maxLabelValues = 200;

/** Lets the first values of a label through, and calls the rest `other`. */
export function createBound(limit: number = maxLabelValues): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= limit) return "other";
    seen.add(value);
    return value;
  };
}
