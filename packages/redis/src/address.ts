import { ParallaxError } from "@parallax/core";

/** What a URL says about where Redis is, and as whom to ask. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly isTls: boolean;
}

const defaultPort = 6379;

/**
 * Reads `redis://user:password@host:port/db`; `rediss://` for TLS. User and password are percent-encoded.
 * @throws ParallaxError `invalid_options`; its message never contains the password.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isTls = url?.protocol === "rediss:";
  if (!url || (url.protocol !== "redis:" && !isTls) || url.hostname === "")
    throw invalid("write the URL as redis://user:password@host:6379/0, with rediss: for TLS");
  if (url.search !== "" || url.hash !== "")
    throw invalid("take what follows ? or # off the URL, and say it in options of its own");
  const path = url.pathname.replace(/^\//, "");
  if (!/^\d*$/.test(path)) throw invalid(`write the database of the URL as a number, not ${path}`);
  return {
    host: unbracketed(url.hostname),
    port: url.port === "" ? defaultPort : Number(url.port),
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    ...(path === "" ? {} : { db: Number(path) }),
    isTls,
  };
}

/** Reads `host:port`, with brackets around an IPv6 address. @throws ParallaxError `invalid_options` */
export function parseHostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [, host, digits] = /^(\[[^\]]+\]|[^:\s]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host !== undefined && port > 0 && port <= 65_535) return { host: unbracketed(host), port };
  throw invalid(`write ${text} as host:port`);
}

function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

function invalid(remedy: string): ParallaxError<"invalid_options"> {
  return new ParallaxError("invalid_options", `connecting to Redis: ${remedy}`);
}
