import { createBackoff, errorMessage, isParallaxError, onAbort, ParallaxError } from "@parallax/core";
import { parseStreamEvent, type StreamEvent } from "@parallax/protocol";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { answerError, unreachable } from "./errors.ts";
import type { FetchedAnswer } from "./options.ts";
import type { CallOptions, Requester } from "./request.ts";

/** Nodes write something at least every 15 s; a stream that is silent for longer than this, in milliseconds, is dead. */
const silentMs = 45_000;

/** Failed attempts in a row after which a stream gives up. */
const maxFailures = 10;

/** Options of event streams. */
export interface EventOptions extends CallOptions {
  /** The cursor of the last event that was seen: the stream goes on after it. Default: from now. */
  readonly after?: string | undefined;
  /** How many attempts the first connection has. Default 10, as each later one. */
  readonly firstAttempts?: number;
  /** Called at each connection, before its first event. */
  readonly onOpen?: () => void;
}

/** What {@link streamEvents} needs. */
export interface EventStream extends EventOptions {
  readonly what: string;
  readonly path: string;
  /** Whether an event is the last. */
  readonly isLast: (event: StreamEvent) => boolean;
}

/**
 * Server-sent events, across connections: after each end it goes on where it was, at the next address, and what it missed is
 * either delivered or told as a gap by the server. Leaving the loop closes it.
 *
 * @throws ParallaxError `unreachable` after ten failed attempts in a row, or `firstAttempts` before the first connection; the server's own code for an answer of 4xx.
 */
export async function* streamEvents(
  requester: Requester,
  stream: EventStream,
): AsyncGenerator<StreamEvent, void, undefined> {
  const { urls, clock, random } = requester.settings;
  const { signal } = stream;
  const backoff = createBackoff({ initialMs: 250, maxMs: 10_000, random });
  let cursor = stream.after;
  let attempt = 0;
  let hintMs: number | undefined;
  let allowedFailures = stream.firstAttempts === undefined ? maxFailures : stream.firstAttempts - 1;
  const onOpen = (): void => {
    allowedFailures = maxFailures;
    stream.onOpen?.();
  };

  while (!signal?.aborted) {
    const url = urls[attempt % urls.length] ?? urls[0];
    attempt += 1;
    try {
      const onRetry = (ms: number): void => {
        hintMs = ms;
      };
      for await (const message of openStream(requester, stream, url, cursor, { onRetry, onOpen })) {
        backoff.reset();
        if (message.id !== undefined) cursor = message.id;
        const event = parseStreamEvent({ name: message.event, id: message.id, data: message.data });
        if (!event) continue;
        yield event;
        if (stream.isLast(event)) return;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (isParallaxError(error) && error.code !== "stream_lost") throw error;
      if (backoff.attempts >= allowedFailures) throw unreachable(stream.what, urls, error);
    }
    const delayMs = backoff.next() + (hintMs === undefined ? 0 : random.next() * hintMs);
    hintMs = undefined;
    await clock.sleep(delayMs, signal).catch(() => {});
  }
}

/** The messages of one connection. Ends with it. */
async function* openStream(
  requester: Requester,
  stream: EventStream,
  url: string,
  cursor: string | undefined,
  { onRetry, onOpen }: { readonly onRetry: (ms: number) => void; readonly onOpen: () => void },
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const { clock } = requester.settings;
  const controller = new AbortController();
  const forget = onAbort(stream.signal, () => controller.abort());
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message), onRetry });
  let cancel = clock.after(silentMs, () => controller.abort());
  try {
    const headers = {
      accept: "text/event-stream",
      ...(cursor === undefined ? {} : { "last-event-id": cursor }),
    };
    const response = await requester.open(stream.path, { headers, signal: controller.signal }, url);
    if (!response.ok) throw await refusal(stream.what, response);
    onOpen();
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      cancel();
      cancel = clock.after(silentMs, () => controller.abort());
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* messages.splice(0);
    }
  } finally {
    cancel();
    forget();
    controller.abort();
  }
}

/** 4xx is an answer; anything else is tried again elsewhere. */
async function refusal(what: string, response: FetchedAnswer): Promise<ParallaxError> {
  const error = await answerError(what, response);
  if (response.status < 500 && response.status !== 429) return error;
  return new ParallaxError("stream_lost", `${what}: ${errorMessage(error)}`, { cause: error });
}
