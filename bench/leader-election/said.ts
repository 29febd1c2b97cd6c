/** What a process says about one of its elections. */
export interface Said {
  readonly kind: "ready" | "elected" | "steps-down" | "done";
  readonly election: number;
  readonly term: number;
  /** The monotonic clock, which all processes of a host share. */
  readonly atMs: number;
  readonly wallMs: number;
}

export function now(): Pick<Said, "atMs" | "wallMs"> {
  return { atMs: Number(process.hrtime.bigint()) / 1e6, wallMs: performance.timeOrigin + performance.now() };
}

/** What the lines of a process say. */
export function saidIn(lines: readonly string[]): Said[] {
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Said);
}
