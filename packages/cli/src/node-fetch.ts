import { type IncomingMessage, request as requestOverHttp } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Fetch, FetchedAnswer, FetchInit } from "@parallax/client";

/**
 * `fetch` by `node:http`: to load the global one takes longer than all else that a command does. An address that sends
 * elsewhere is left to that one, which follows.
 */
export const nodeFetch: Fetch = async (url, init) => {
  const message = await ask(url, init);
  const { statusCode: status = 0, headers } = message;
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    message.resume();
    return fetch(url, { ...init });
  }
  return answerOf(message, status);
};

async function ask(
  url: string,
  { method = "GET", headers, body, signal }: FetchInit,
): Promise<IncomingMessage> {
  const request = url.startsWith("https:") ? (await import("node:https")).request : requestOverHttp;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method, headers: { ...headers, ...length }, signal }, resolve);
    sent.once("error", reject);
    sent.end(body);
  });
}

function answerOf(message: IncomingMessage, status: number): FetchedAnswer {
  const { headers } = message;
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name) => [headers[name.toLowerCase()] ?? null].flat().join(", ") || null },
    body: message,
    text: async () => (await buffer(message)).toString(),
  };
}
