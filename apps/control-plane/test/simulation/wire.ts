import { type Clock, ParallaxError } from "@parallax/core";

/** The way of one process to the store, which may be cut. */
export interface Wire {
  state: "up" | "cut" | "answers lost" | "dead";
  /** Whether a hint, or a message of another node, gets through. */
  hears(): boolean;
}

/** How long a call waits for its answer, in ms. */
const timeoutMs = 250;

/** Whatever these say, they say at once. */
const local = new Set<string | symbol>([
  "subscribe",
  "listen",
  "receive",
  "recycle",
  "partitions",
  "partitionOf",
  "keyOf",
]);

/**
 * The same backend behind a wire: each call arrives or does not, and its answer comes or does not. A dead process hears
 * nothing any more.
 */
export function behind<Backend extends object>(
  backend: Backend,
  wires: readonly Wire[],
  clock: Pick<Clock, "sleep">,
): Backend {
  async function carry(run: () => Promise<unknown>): Promise<unknown> {
    if (wires.some(({ state }) => state === "dead")) return new Promise(() => {});
    if (wires.some(({ state }) => state === "cut")) return unanswered();
    const result = await run();
    if (wires.some(({ state }) => state === "dead")) return new Promise(() => {});
    return wires.some(({ state }) => state === "answers lost") ? unanswered() : result;
  }

  async function unanswered(): Promise<never> {
    await clock.sleep(timeoutMs);
    throw new ParallaxError("timeout", "the store did not answer");
  }

  return new Proxy(backend, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function" || typeof name === "symbol" || local.has(name)) return member;
      return (...args: unknown[]) => carry(() => Reflect.apply(member, target, args));
    },
  });
}
