import type { DepositOutcome } from "@parallax/state-store";

/** A letter on its way to the inbox; whoever brought it hears how the first attempt went. */
export interface Deposit {
  isUnderWay: boolean;
  /** @throws what the store does; it may be run again. */
  run(): Promise<void>;
}

export function createDeposit(options: {
  readonly deposit: () => Promise<DepositOutcome>;
  readonly resolve: (outcome: DepositOutcome) => void;
  readonly reject: (error: unknown) => void;
  readonly isDone: (deposit: Deposit) => void;
}): Deposit {
  const { deposit, resolve, reject, isDone } = options;
  const made: Deposit = {
    isUnderWay: false,
    async run() {
      made.isUnderWay = true;
      try {
        resolve(await deposit());
        isDone(made);
      } catch (error) {
        reject(error);
        throw error;
      } finally {
        made.isUnderWay = false;
      }
    },
  };
  return made;
}
