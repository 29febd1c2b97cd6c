/** How a transport's connection, or the attempt to make one, ended. */
export interface TransportEnd {
  /** The WebSocket's close code; 1006 if there was none. */
  readonly code: number;
  readonly reason: string;
  /** The HTTP answer that refused the upgrade. */
  readonly refusal?: { readonly status: number; readonly retryAfterMs: number | undefined };
}

/** What a connection tells the agent; never before the call that made it has returned. */
export interface TransportListener {
  opened(): void;
  /** A text frame. */
  received(text: string): void;
  /** Anything else that shows that the other end lives: a ping. */
  alive(): void;
  /** Once, last. */
  ended(end: TransportEnd): void;
}

/** One connection. Frames sent after its end are dropped. */
export interface Connection {
  send(text: string): void;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  /** Begins the closing handshake; `ended` follows. */
  close(code: number, reason: string): void;
  /** Ends at once; `ended` follows. */
  terminate(): void;
}

/** What a connection is made with. */
export interface TransportOptions {
  readonly url: string;
  /** Sent as `Authorization: Bearer …`. */
  readonly token: string | undefined;
  readonly maxPayloadBytes: number;
}

/** Makes connections: a WebSocket, or whatever a simulation puts in its place. Never throws; a failure is an `ended`. */
export type Transport = (options: TransportOptions, listener: TransportListener) => Connection;
