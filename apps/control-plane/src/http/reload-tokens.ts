import { type CancelTimer, type Clock, errorMessage, type Logger } from "@parallax/core";
import type { Authenticator, TokenEntry } from "./auth.ts";

export interface ReloadOptions {
  readonly authenticator: Authenticator;
  /** Reads the tokens anew from where they came from. Throws where it can't. */
  readonly read: () => readonly TokenEntry[];
  /** Others count now. */
  readonly onReplaced: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A mounted secret is changed without a word: it is looked at this often, in ms. */
const lookEveryMs = 5000;

/**
 * Follows the files that tokens come from, so that one is exchanged or taken back without a restart. What can't be read, or
 * names no token at all, changes nothing: a slip must neither lock everybody out nor let everybody in.
 */
export function reloadTokens(options: ReloadOptions): CancelTimer {
  const { authenticator, read, onReplaced, clock, logger } = options;
  let current = JSON.stringify(read());
  let refused: string | undefined;

  /** One warning for each way in which it goes wrong. */
  function refuse(reason: string): void {
    if (refused !== reason)
      logger.warn("the tokens can't be read anew; those from before still count", { reason });
    refused = reason;
  }

  return clock.every(lookEveryMs, () => {
    try {
      const tokens = read();
      const text = JSON.stringify(tokens);
      if (text === current) refused = undefined;
      else if (tokens.length === 0) refuse("there are none; to run without tokens, start the node without");
      else {
        current = text;
        refused = undefined;
        authenticator.replace(tokens);
        logger.info("other tokens count from now on", { count: tokens.length });
        onReplaced();
      }
    } catch (error) {
      refuse(errorMessage(error));
    }
  });
}
