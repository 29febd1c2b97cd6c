import { createDeferred, type Deferred, isParallaxError } from "@parallax/core";
import type { DepositOutcome } from "@parallax/state-store";

/** A letter as it lies in the inbox, and the way to put it there by itself. */
export interface Enclosure {
  readonly key: string;
  readonly text: string;
  put(): Promise<DepositOutcome>;
}

/** A letter on its way to the inbox, by itself or with the write that counts it; those who brought it hear of it. */
export interface Deposit extends Pick<Enclosure, "key" | "text"> {
  isUnderWay(): boolean;
  /** It goes by itself: with others it was too much for one write. */
  isApart: boolean;
  /** What becomes of it. Rejects if the next attempt fails; it may be brought again. */
  outcome(): Promise<DepositOutcome>;
  /** Puts it there by itself. @throws what the store does; it may be run again, but for `too_large`. */
  put(): Promise<void>;
  /** It lies in the inbox for certain, or never will. */
  settle(outcome: DepositOutcome): void;
}

export function createDeposit(enclosure: Enclosure, onSettled: (deposit: Deposit) => void): Deposit {
  let brought: Deferred<DepositOutcome>[] = [];
  let isUnderWay = false;

  function tell(how: (one: Deferred<DepositOutcome>) => void): void {
    const waiting = brought;
    brought = [];
    for (const one of waiting) how(one);
  }

  const deposit: Deposit = {
    key: enclosure.key,
    text: enclosure.text,
    isUnderWay: () => isUnderWay,
    isApart: false,
    outcome() {
      const one = createDeferred<DepositOutcome>();
      brought.push(one);
      return one.promise;
    },
    async put() {
      isUnderWay = true;
      try {
        deposit.settle(await enclosure.put());
      } catch (error) {
        // No store will ever take it.
        if (isParallaxError(error, "too_large")) onSettled(deposit);
        tell(({ reject }) => reject(error));
        throw error;
      } finally {
        isUnderWay = false;
      }
    },
    settle(outcome) {
      onSettled(deposit);
      tell(({ resolve }) => resolve(outcome));
    },
  };
  return deposit;
}
