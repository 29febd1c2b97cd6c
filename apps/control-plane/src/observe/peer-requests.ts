import { type Clock, errorMessage, onAbort, ParallaxError } from "@parallax/core";

/** Asks another node over HTTP, at the address that it advertises. */
export interface PeerRequest {
  readonly address: string;
  readonly path: string;
  /** Over HTTPS. Default: HTTP. */
  readonly secure?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the answer may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface PeerAnswer {
  readonly body: string;
  readonly contentType: string;
}

/** @throws ParallaxError `peer_unreachable` for no answer in time, or one that is no success. */
export async function askPeer(request: PeerRequest, clock: Clock): Promise<PeerAnswer> {
  const { address, path, secure = false, headers = {}, timeoutMs, signal } = request;
  const scheme = secure ? "https" : "http";
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () =>
    controller.abort(new Error(`no answer within ${timeoutMs} ms`)),
  );
  const forget = onAbort(signal, () => controller.abort(signal?.reason));
  try {
    const response = await fetch(`${scheme}://${address}${path}`, { headers, signal: controller.signal });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return { body: await response.text(), contentType: response.headers.get("Content-Type") ?? "" };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const why = errorMessage(controller.signal.aborted ? controller.signal.reason : cause);
    const message = `asking the node at ${address}: ${why}; check that it runs, and that node.address is where others reach it`;
    throw new ParallaxError("peer_unreachable", message, { cause: error });
  } finally {
    cancel();
    forget();
  }
}
