export { onAbort, throwIfAborted } from "./abort.ts";
export { type Backoff, type BackoffOptions, createBackoff } from "./backoff.ts";
export type { CancelTimer, Clock, TimeMark } from "./clock.ts";
export { type DeadlineOptions, withDeadline } from "./deadline.ts";
export { createDeferred, type Deferred } from "./deferred.ts";
export { type Duration, formatDuration, parseDuration } from "./durations.ts";
export { errorMessage, isParallaxError, ParallaxError, type ParallaxErrorOptions } from "./errors.ts";
export { hash } from "./hash.ts";
export { randomId } from "./ids.ts";
export { type IterateOptions, iterate, type OverflowPolicy } from "./iterate.ts";
export {
  callListener,
  createListeners,
  type Listener,
  type Listeners,
  safeOnError,
  type Unsubscribe,
} from "./listeners.ts";
export { consoleLogger, type LogFields, type Logger, noopLogger } from "./logger.ts";
export { type Random, seededRandom, systemRandom } from "./random.ts";
export { type GroupMember, runGroup } from "./run-group.ts";
export { systemClock } from "./system-clock.ts";
export {
  createTracing,
  noTracing,
  parseTraceparent,
  type SpanOptions,
  type TraceSpan,
  type Tracing,
} from "./tracing.ts";
