import { ParallaxError } from "@parallax/core";
import type { Term } from "@parallax/leader-election";

/** A term as a test ends it. */
export interface TestTerm extends Term {
  /** Leadership is lost. */
  end(): void;
  /** The fences that it was issued anew above. */
  readonly reissued: readonly number[];
}

export function testTerm(token: number): TestTerm {
  const controller = new AbortController();
  const reissued: number[] = [];
  return {
    token,
    signal: controller.signal,
    remaining: () => (controller.signal.aborted ? 0 : 1000),
    assertValid() {
      if (controller.signal.aborted) throw new ParallaxError("lease_lost", "leading: the lease is lost");
    },
    reissue: (fence) => void reissued.push(fence),
    end: () => controller.abort(),
    reissued,
  };
}
