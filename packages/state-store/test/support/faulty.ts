import { type Clock, ParallaxError, type Random } from "@parallax/core";

/** What may go wrong with a call, each with its share of the calls. */
export interface Faults {
  /** Lost on the way: not run, and the caller does not know. */
  readonly lost: number;
  /** Run, and the answer lost. */
  readonly deaf: number;
  /** The caller gives up, and it runs later all the same. */
  readonly late: number;
}

/** A link of the memory backend on which calls get lost, unanswered or late. */
export function faultyLink(
  clock: Clock,
  random: Random,
  faults: Faults,
): <Result>(run: () => Result) => Promise<Result> {
  const unknown = () => new ParallaxError("timeout", "calling the store: no answer");
  return async (run) => {
    await clock.sleep(random.next() * 3);
    const lot = random.next();
    if (lot < faults.lost) throw unknown();
    if (lot < faults.lost + faults.deaf) {
      run();
      throw unknown();
    }
    if (lot < faults.lost + faults.deaf + faults.late) {
      clock.after(random.next() * 40, () => void run());
      throw unknown();
    }
    const result = run();
    await clock.sleep(random.next() * 3);
    return result;
  };
}
