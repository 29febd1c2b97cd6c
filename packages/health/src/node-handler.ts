import type { IncomingMessage, ServerResponse } from "node:http";
import type { Health } from "./health.ts";

/**
 * A request listener for `node:http`.
 *
 * @example
 * createServer(nodeHandler(health)).listen(8080);
 */
export function nodeHandler(
  health: Pick<Health, "handle">,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { status, headers, text } = answerOf(health, request);
    response.writeHead(status, headers);
    text.then(
      (body) => response.end(body),
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    );
  };
}

function answerOf(
  health: Pick<Health, "handle">,
  { url = "/", method = "GET" }: IncomingMessage,
): { readonly status: number; readonly headers: Record<string, string>; readonly text: Promise<string> } {
  const answer = health.handle({ url, method });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), text: answer.text() };
}
