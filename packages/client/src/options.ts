import {
  type Clock,
  type Duration,
  ParallaxError,
  parseDuration,
  type Random,
  systemClock,
  systemRandom,
} from "@parallax/core";

/** How the client asks: what it needs of a `RequestInit`. */
export interface FetchInit {
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** What the client needs of a `Response`. */
export interface FetchedAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
}

/** What the client needs of `fetch`: whatever a `Response` is where the caller's types come from, or the least that does. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchedAnswer | Response>;

/** Options of `createClient`. */
export interface ClientOptions {
  /** Where the control plane is: a load balancer, a node, or several of them, as a list. Default `http://localhost:8080`. */
  readonly url?: string | readonly string[];
  /** A token of role `api` or `admin`, or a function that is asked for one before each request. Default: none. */
  readonly token?: string | (() => string | Promise<string>);
  /** How long a call may take, all its attempts together. Default 30 s. */
  readonly timeout?: Duration;
  /** How often a call that may be repeated is tried again, at each address, after the first time. Default 2. */
  readonly retries?: number;
  /** Default: the global one. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The same with every default, checked. */
export interface ClientSettings {
  /** Without a trailing slash; at least one. */
  readonly urls: readonly [string, ...string[]];
  readonly token: () => Promise<string | undefined>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: Random;
}

/** @throws ParallaxError `invalid_url`, `invalid_duration` */
export function readOptions(options: ClientOptions): ClientSettings {
  const { url = "http://localhost:8080", token } = options;
  const [first, ...others] = typeof url === "string" ? [url] : url;
  if (first === undefined) throw invalidUrl("an empty list", undefined);
  return {
    urls: [readUrl(first), ...others.map(readUrl)],
    token: async () => (typeof token === "function" ? token() : token),
    timeoutMs: parseDuration(options.timeout ?? 30_000),
    retries: options.retries ?? 2,
    fetch: options.fetch ?? ((target, init) => fetch(target, { ...init })),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

function readUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalidUrl(JSON.stringify(text), cause);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw invalidUrl(JSON.stringify(text), undefined);
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function invalidUrl(given: string, cause: unknown): ParallaxError<"invalid_url"> {
  const message = `reading the control plane's address from ${given}: write http://host:8080 or https://host, or a list of them`;
  return new ParallaxError("invalid_url", message, { cause });
}
