import { type Clock, errorMessage, ParallaxError, type TimeMark, withDeadline } from "@parallax/core";
import type { CheckFinding, CheckOptions } from "./health.ts";

/** A check in the background: its last finding is all that handlers see. */
export interface RunningCheck {
  readonly options: CheckOptions;
  /** The last finding, `warn` before the first. */
  finding(): CheckFinding & { readonly atMs: number };
  /** Whether it keeps the node from being ready: critical, and failing for longer than its grace. */
  blocks(): boolean;
  stop(): void;
}

const statuses: readonly string[] = ["pass", "warn", "fail"] satisfies CheckFinding["status"][];

/**
 * Starts a check: at once, then again and again. A run that is past its bound is given up before the next begins.
 * @throws ParallaxError `invalid_options`
 */
export function runCheck(options: CheckOptions, clock: Clock, onChange: () => void): RunningCheck {
  validate(options);
  const { name, run, intervalMs = 5000, timeoutMs = 3000, severity = "critical", graceMs = 0 } = options;
  let last: CheckFinding & { atMs: number } = {
    status: "warn",
    output: `${name} has not been looked at yet`,
    atMs: clock.wall(),
  };
  // What has not been looked at is not known to work: it counts as failing, within its grace.
  let failingSince: TimeMark | undefined = clock.mark();
  let cancel = (): void => {};
  let giveUp = new AbortController();
  let stopped = false;

  async function look(): Promise<void> {
    let finding: CheckFinding;
    giveUp = new AbortController();
    try {
      const running = Promise.resolve(run(giveUp.signal));
      finding = await withDeadline(running, { clock, timeoutMs, what: `checking ${name}` });
      if (!statuses.includes(finding?.status)) throw new Error("it returned no status of pass, warn or fail");
    } catch (error) {
      finding = { status: "fail", output: errorMessage(error) };
      giveUp.abort(error);
    }
    if (stopped) return;
    last = { ...finding, atMs: clock.wall() };
    failingSince = finding.status === "fail" ? (failingSince ?? clock.mark()) : undefined;
    cancel = clock.after(intervalMs, () => void look());
    onChange();
  }

  // Not within `check` itself: whoever adds a check must not meet what it throws.
  cancel = clock.after(0, () => void look());
  return {
    options,
    finding: () => last,
    blocks: () =>
      severity === "critical" && failingSince !== undefined && clock.elapsedAtLeast(failingSince) >= graceMs,
    stop() {
      stopped = true;
      cancel();
      giveUp.abort();
    },
  };
}

function validate({ name, run, intervalMs = 5000, timeoutMs = 3000, graceMs = 0 }: CheckOptions): void {
  const require = (holds: boolean, right: string): void => {
    if (holds) return;
    throw new ParallaxError("invalid_options", `adding the check ${String(name)}: ${right}`);
  };
  require(typeof name === "string" && name !== "", "give it a name");
  require(typeof run === "function", "run is a function that returns {status}");
  require(Number.isFinite(intervalMs) && intervalMs > 0, "intervalMs is a number of milliseconds above 0");
  require(Number.isFinite(timeoutMs) && timeoutMs > 0, "timeoutMs is a number of milliseconds above 0");
  require(Number.isFinite(graceMs) && graceMs >= 0, "graceMs is a number of milliseconds from 0");
}
