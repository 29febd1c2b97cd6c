import { type CancelTimer, type Clock, type Logger, onAbort } from "@parallax/core";
import {
  type AgentFrame,
  agentLimits,
  encodeFrame,
  type HelloFrame,
  type NodeFrame,
  parseNodeFrame,
  type WelcomeFrame,
} from "@parallax/protocol";
import type { ConnectionEnd } from "./reconnect.ts";
import type { Transport, TransportOptions } from "./transport.ts";

/** How long a closing handshake may take, in milliseconds, before the connection is cut. */
const closeTimeoutMs = 3_000;

/** How often a connection's life is checked, in milliseconds. */
const checkIntervalMs = 1_000;

/** Progress is dropped while this many bytes wait to be sent. */
const highWaterBytes = 256 * 1024;

/** What {@link openLink} needs. */
export interface LinkOptions extends TransportOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes the first frame, once the connection is open. */
  readonly hello: () => HelloFrame;
  /** Takes every frame that a node sends, `welcome` included. */
  readonly receive: (frame: NodeFrame) => void;
  /** Called about once a second after the welcome. */
  readonly tick: () => void;
  /** Closes the connection, normally. */
  readonly signal: AbortSignal;
}

/** One connection to a node, from the attempt to its end. */
export interface Link {
  send(frame: AgentFrame): void;
  /** Closes after `afterMs`: the node asked for it, and what follows is a planned move. */
  moveAfter(afterMs: number): void;
  readonly ended: Promise<ConnectionEnd>;
}

/** Connects, greets, and watches over the connection: it is cut when the welcome or any later frame stays away too long. */
export function openLink(options: LinkOptions): Link {
  const { transport, clock, logger, hello, receive, tick, signal } = options;
  const timers: CancelTimer[] = [];
  let welcomed: { readonly atMs: number; readonly frame: WelcomeFrame } | undefined;
  let lastHeardMs = clock.now();
  let moveAtMs: number | undefined;
  let ourReason: string | undefined;
  let over = false;
  let resolve: (end: ConnectionEnd) => void = () => {};
  const ended = new Promise<ConnectionEnd>((settle) => (resolve = settle));

  const connection = transport(options, {
    opened() {
      lastHeardMs = clock.now();
      send(hello());
    },
    received(text) {
      // X10: what a connection still brings after its end is not heeded.
      if (over) return;
      lastHeardMs = clock.now();
      const parsed = parseNodeFrame(text);
      if (!parsed.ok) return logger.warn("ignored a frame of the node", { error: parsed.error });
      if (parsed.frame.type === "welcome") welcomed ??= { atMs: clock.now(), frame: parsed.frame };
      receive(parsed.frame);
    },
    alive() {
      lastHeardMs = clock.now();
    },
    ended({ code, reason, refusal }) {
      over = true;
      for (const cancel of timers) cancel();
      forgetSignal();
      const end = { code, reason: ourReason ?? reason, refusal, moveInMs: moveInMs() };
      const spreadMs = welcomed?.frame.reconnect.spreadMs;
      resolve({ ...end, spreadMs, welcomedForMs: welcomed && clock.now() - welcomed.atMs });
    },
  });

  function send(frame: AgentFrame): void {
    if (frame.type === "progress" && connection.bufferedBytes > highWaterBytes) return;
    connection.send(encodeFrame(frame));
  }

  function moveInMs(): number | undefined {
    return moveAtMs === undefined ? undefined : Math.max(0, moveAtMs - clock.now());
  }

  function close(code: number, reason: string): void {
    ourReason = reason;
    connection.close(code, reason);
    timers.push(clock.after(closeTimeoutMs, () => connection.terminate()));
  }

  function check(): void {
    const silentMs = clock.now() - lastHeardMs;
    // A node pings every heartbeat; two thirds of one more are allowed for a late one.
    const heartbeatMs = welcomed?.frame.heartbeatMs ?? 0;
    if (silentMs > Math.max(agentLimits.deadAfterMs, (heartbeatMs * 5) / 3)) {
      ourReason = `no frame for ${Math.round(silentMs / 1000)} s`;
      connection.terminate();
    } else if (welcomed) tick();
  }

  const forgetSignal = onAbort(signal, () => close(1000, "the agent stops"));
  timers.push(
    clock.every(checkIntervalMs, check),
    clock.after(agentLimits.handshakeTimeoutMs, () => {
      if (welcomed) return;
      ourReason = "no welcome in time";
      connection.terminate();
    }),
  );
  return {
    send,
    moveAfter(afterMs) {
      moveAtMs = clock.now() + afterMs;
      timers.push(clock.after(afterMs, () => close(1001, "moves to another node")));
    },
    ended,
  };
}
