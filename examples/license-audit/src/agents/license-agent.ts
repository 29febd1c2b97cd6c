import { ParallaxAgent, type ParallaxAgentOptions, type Task } from "@parallax/agent";
import { ParallaxError } from "@parallax/core";
import type { Classify } from "../classification.ts";
import { CAPABILITY } from "../pattern.ts";

export interface LicenseAgentOptions extends ParallaxAgentOptions {
  /** The agent's one method. It gets the text and nothing else: no name, no package.json. */
  readonly classify: Classify;
}

/**
 * An agent that answers `{ content }` with what its method makes of it. Not started yet.
 *
 * A task without a text fails with `invalid_input` and is not tried again: no agent could do better.
 */
export function createLicenseAgent({ classify, ...options }: LicenseAgentOptions): ParallaxAgent {
  return new ParallaxAgent(options).onTask(CAPABILITY, (task) => classify(contentOf(task)));
}

function contentOf({ id, input }: Task): string {
  if (
    typeof input === "object" &&
    input !== null &&
    "content" in input &&
    typeof input.content === "string"
  ) {
    return input.content;
  }
  throw new ParallaxError(
    "invalid_input",
    `classifying the input of task ${id} failed, it has no text; submit { content: string }`,
    { details: { retryable: false } },
  );
}
