import { createBackoff, isParallaxError, onAbort, ParallaxError } from "@parallax/core";
import { getLiveness, type Operation, type OperationInput, pathOf } from "@parallax/protocol";
import { answerError, readAnswer, unreachable, wasNotSent } from "./errors.ts";
import type { ClientSettings, FetchedAnswer, FetchInit } from "./options.ts";

/** No server keeps a call waiting for longer than this before it is repeated, in milliseconds. */
const longestRetryAfterMs = 10_000;

/** How long an address may take to say that it lives, in milliseconds. */
const probeMs = 2_000;

/** What every call takes. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** One call of an operation. */
export interface Call<Answer, Input extends OperationInput> extends CallOptions {
  /** For messages: "submitting an execution". */
  readonly what: string;
  readonly operation: Operation<Answer, Input>;
  readonly input: Input;
  /** Whether doing it twice is the same as doing it once. */
  readonly repeatable: boolean;
  /** How long the server may take on purpose, in milliseconds, beyond the client's time-out. Default 0. */
  readonly waitMs?: number;
}

/** Makes calls, at whichever address answers. */
export interface Requester {
  /** @throws ParallaxError the server's own code; `unreachable`, `timeout`, `aborted`, `invalid_response`, `http_error`. */
  call<Answer, Input extends OperationInput>(call: Call<Answer, Input>): Promise<Answer>;
  /** One attempt at one address, the body unread. For streams. */
  open(path: string, init: FetchInit, url: string): Promise<FetchedAnswer>;
  readonly settings: ClientSettings;
}

type Attempt =
  | { readonly type: "answered"; readonly response: FetchedAnswer }
  | { readonly type: "failed"; readonly error: unknown };

export function createRequester(settings: ClientSettings): Requester {
  const { urls, clock, random, retries } = settings;
  /** The address that answered last: it is asked first. */
  let preferred = 0;

  async function open(path: string, init: FetchInit, url: string): Promise<FetchedAnswer> {
    const token = await settings.token();
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return settings.fetch(`${url}${path}`, { ...init, headers: { ...init.headers, ...authorization } });
  }

  /** One attempt at one address; `limitMs` bounds the time until the answer begins, so that a hung node can't use up the call. */
  async function attempt(path: string, init: FetchInit, url: string, limitMs: number): Promise<Attempt> {
    const controller = new AbortController();
    const cancel = clock.after(limitMs, () => controller.abort(timedOut(`asking ${url}`, limitMs)));
    onAbort(init.signal, () => controller.abort(init.signal.reason));
    try {
      return { type: "answered", response: await open(path, { ...init, signal: controller.signal }, url) };
    } catch (error) {
      return { type: "failed", error };
    } finally {
      cancel();
    }
  }

  /** What is asked for once only goes to an address that lives: a node that hangs would take it, and do it much later. */
  async function preferLiving(signal: AbortSignal): Promise<void> {
    for (let asked = 1; asked < urls.length; asked += 1) {
      const index = preferred % urls.length;
      const probe = await attempt(getLiveness.path, { headers: {}, signal }, urls[index] ?? urls[0], probeMs);
      if (probe.type === "answered") {
        probe.response.text().catch(() => {});
        return;
      }
      preferred = index + 1;
    }
  }

  /** Asks one address after the other, in rounds, until one gives an answer that settles the call. */
  async function settle(
    call: Pick<Call<unknown, OperationInput>, "what" | "repeatable" | "waitMs">,
    path: string,
    init: FetchInit,
  ): Promise<FetchedAnswer> {
    const { signal } = init;
    const { what, repeatable, waitMs = 0 } = call;
    const limitMs = waitMs + (repeatable ? settings.timeoutMs / 3 : settings.timeoutMs);
    const backoff = createBackoff({ initialMs: 100, maxMs: 2_000, multiplier: 3, random });
    let last: Attempt = { type: "failed", error: undefined };
    const ask = async (url: string): Promise<Attempt> => {
      // Nobody reads the answer before: left unread it would hold its connection, and a program's end, for a minute.
      if (last.type === "answered") last.response.text().catch(() => {});
      return attempt(path, init, url, limitMs);
    };
    if (!repeatable) await preferLiving(signal);
    for (let round = 0; round <= (repeatable ? retries : 0); round += 1) {
      if (round > 0) await clock.sleep(backoff.next() + retryAfterMs(last), signal);
      for (let asked = 0; asked < urls.length; asked += 1) {
        const index = preferred % urls.length;
        last = await ask(urls[index] ?? urls[0]);
        if (last.type === "answered" && !isBusy(last.response.status)) return last.response;
        if (signal.aborted) throw signal.reason;
        if (!repeatable && !(last.type === "failed" && wasNotSent(last.error))) break;
        preferred = index + 1;
      }
    }
    if (last.type === "answered") return last.response;
    throw unreachable(what, urls, last.error);
  }

  async function call<Answer, Input extends OperationInput>(options: Call<Answer, Input>): Promise<Answer> {
    const { what, operation, input, waitMs = 0 } = options;
    const timeoutMs = settings.timeoutMs + waitMs;
    const controller = new AbortController();
    const cancel = clock.after(timeoutMs, () => controller.abort(timedOut(what, timeoutMs)));
    const forget = onAbort(options.signal, () => controller.abort(aborted(what, options.signal)));
    const { path, init } = requestOf(operation, input);
    try {
      const response = await settle(options, path, { ...init, signal: controller.signal });
      if (!response.ok && !(response.status in operation.answer.statuses))
        throw await answerError(what, response);
      return await readAnswer(what, response, operation.answer.schema);
    } catch (error) {
      if (controller.signal.aborted) throw controller.signal.reason;
      if (isParallaxError(error)) throw error;
      throw unreachable(what, urls, error);
    } finally {
      cancel();
      forget();
    }
  }

  return { call, open, settings };
}

/** The node drains, is full, or a proxy found none behind it: another one, or the same a little later, may answer. */
export function isBusy(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

function retryAfterMs(last: Attempt): number {
  const text = last.type === "answered" ? last.response.headers.get("retry-after") : null;
  if (text === null || !/^\d{1,9}$/.test(text)) return 0;
  return Math.min(Number(text) * 1000, longestRetryAfterMs);
}

/** The request of an operation, as `fetch` takes it. */
export function requestOf(
  operation: Pick<Operation, "method" | "path">,
  { params, query = {}, headers = {}, body }: OperationInput,
): { readonly path: string; readonly init: Omit<FetchInit, "signal"> } {
  const search = new URLSearchParams(present(query));
  const path = pathOf(operation, params);
  return {
    path: search.size === 0 ? path : `${path}?${search}`,
    init: {
      method: operation.method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...Object.fromEntries(present(headers)),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  };
}

/** Those values that are there, as text. */
function present(values: object): [string, string][] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
}

/** The signal of a call, where there is one. */
export function signalOf({ signal }: { readonly signal?: AbortSignal | undefined }): CallOptions {
  return signal ? { signal } : {};
}

function timedOut(what: string, timeoutMs: number): ParallaxError<"timeout"> {
  const message = `${what} took longer than ${timeoutMs} ms; its outcome is unknown, so check before repeating it`;
  return new ParallaxError("timeout", message, { details: { timeoutMs } });
}

function aborted(what: string, signal: AbortSignal | undefined): ParallaxError<"aborted"> {
  const message = `${what}: aborted by its signal; its outcome is unknown`;
  return new ParallaxError("aborted", message, { cause: signal?.reason });
}
