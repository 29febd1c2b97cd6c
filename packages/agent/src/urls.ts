import { ParallaxError } from "@parallax/core";
import { agentPath } from "@parallax/protocol";

const schemes: Readonly<Record<string, string>> = {
  "http:": "ws:",
  "https:": "wss:",
  "ws:": "ws:",
  "wss:": "wss:",
};

/**
 * The addresses of the agents' WebSocket for the addresses of control planes: `http://host:8080` gives
 * `ws://host:8080/ws/agent`, and a path before it is kept.
 *
 * @throws ParallaxError `invalid_url`
 */
export function agentUrls(controlPlaneUrl: string | readonly string[]): readonly string[] {
  const given = typeof controlPlaneUrl === "string" ? [controlPlaneUrl] : (controlPlaneUrl ?? []);
  if (given.length === 0) throw invalidUrl("none", undefined);
  return given.map(agentUrl);
}

function agentUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalidUrl(text, cause);
  }
  const scheme = schemes[url.protocol];
  if (!scheme) throw invalidUrl(text, undefined);
  const base = url.pathname.replace(/\/+$/, "");
  const path = base.endsWith(agentPath) ? base : `${base}${agentPath}`;
  return `${scheme}//${url.host}${path}${url.search}`;
}

function invalidUrl(text: string, cause: unknown): ParallaxError<"invalid_url"> {
  const message = `reading controlPlaneUrl from ${JSON.stringify(text)}: write http://host:8080 or https://host, or a list of them`;
  return new ParallaxError("invalid_url", message, { cause });
}
