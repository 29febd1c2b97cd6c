import type { Clock, Logger, Unsubscribe } from "@parallax/core";
import type { TopicLog } from "./store.ts";
import type { FeedMember } from "./subscription.ts";

/** All subscriptions of one topic in this process: they share its channel and the check of that channel. */
export interface Feed {
  /** Every subscription was at the log's top at the last check (E2). */
  readonly live: boolean;
  readonly size: number;
  add(member: FeedMember): void;
  remove(member: FeedMember): void;
}

export interface FeedOptions {
  readonly topic: string;
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly checkIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** Listens while it has members. */
export function createFeed(options: FeedOptions): Feed {
  const { topic, log, logger, onError } = options;
  const members = new Set<FeedMember>();
  let up = false;
  let live = true;
  let stop: AbortController | undefined;
  let unlisten: Unsubscribe = () => {};

  function start(): void {
    const controller = new AbortController();
    stop = controller;
    unlisten = log.listen(
      topic,
      (batch) => {
        for (const member of [...members]) member.heard(batch);
      },
      () => {
        up = true;
        for (const member of [...members]) member.connected();
      },
    );
    void watch(options, members, controller.signal, ({ reached, dead }) => {
      live = reached;
      // One that is being opened anew is left alone: it would never come up if every look began it again.
      if (dead && up) recycle();
    }).catch(onError);
  }

  function recycle(): void {
    up = false;
    logger.warn("the channel of a topic looks open and is dead; opening it anew", { topic });
    log.recycle(`the channel of topic ${topic} is behind its log`);
  }

  return {
    get live() {
      return live;
    },
    get size() {
      return members.size;
    },
    add(member) {
      members.add(member);
      if (members.size === 1) start();
      else if (up) member.connected();
    },
    remove(member) {
      if (!members.delete(member) || members.size > 0) return;
      stop?.abort();
      unlisten();
      up = false;
      live = true;
    },
  };
}

/**
 * E2: reads the log's top, gives what was published up to then a fifth of the interval to arrive, and takes the channel for
 * dead if it did not. The next look follows after half an interval, so that nothing stays unnoticed for a whole one.
 */
async function watch(
  options: FeedOptions,
  members: ReadonlySet<FeedMember>,
  signal: AbortSignal,
  report: (verdict: { readonly reached: boolean; readonly dead: boolean }) => void,
): Promise<void> {
  const { topic, log, clock, checkIntervalMs, onError } = options;
  const pause = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => {});
  while (!signal.aborted) {
    await pause(checkIntervalMs / 2);
    if (signal.aborted) return;
    const tops = await log.position(topic).catch((error: unknown) => {
      if (!signal.aborted) onError(error);
    });
    if (signal.aborted) return;
    if (!tops) {
      report({ reached: false, dead: false });
      continue;
    }
    for (const member of [...members]) member.compare(tops);
    await pause(checkIntervalMs / 5);
    if (signal.aborted) return;
    const verdicts = [...members].map((member) => member.judge(tops));
    report({
      reached: verdicts.every(({ reached }) => reached),
      dead: verdicts.some(({ dead }) => dead),
    });
  }
}
