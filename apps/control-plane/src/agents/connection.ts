import type { CancelTimer, Clock, Logger, Random } from "@parallax/core";
import {
  type AgentFrame,
  agentLimits,
  closeCodes,
  encodeFrame,
  type HelloFrame,
  type NodeFrame,
  parseAgentFrame,
} from "@parallax/protocol";
import type { WebSocket } from "ws";

export interface ConnectionOptions {
  readonly socket: WebSocket;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The first frame. */
  readonly onHello: (hello: HelloFrame) => void;
  readonly onFrame: (frame: Exclude<AgentFrame, HelloFrame>) => void;
  readonly onClose: (code: number) => void;
}

/** One agent's socket: frames in and out, pings, and the bound of what waits to be sent. */
export interface AgentConnection {
  /** False when the frame was not sent: the socket is closing or its buffer is full. */
  send(frame: NodeFrame): boolean;
  close(code: number, reason: string): void;
  /** Ends it without a closing handshake. */
  terminate(): void;
}

/** Past this many bytes of unsent frames an agent gets no more tasks; past the hard mark it is closed. */
const highWaterBytes = 256 * 1024;
const hardLimitBytes = 1024 * 1024;

export function createAgentConnection(options: ConnectionOptions): AgentConnection {
  const { socket, clock, random, logger, onHello, onFrame, onClose } = options;
  let greeted = false;
  let lastHeardMs = clock.now();
  const timers: CancelTimer[] = [];

  function send(frame: NodeFrame): boolean {
    if (socket.readyState !== socket.OPEN) return false;
    if (socket.bufferedAmount > hardLimitBytes) {
      close(closeCodes.tooSlow, "reads too slowly");
      return false;
    }
    if (frame.type === "task" && socket.bufferedAmount > highWaterBytes) return false;
    socket.send(encodeFrame(frame));
    return true;
  }

  function close(code: number, reason: string): void {
    socket.close(code, reason);
  }

  function onMessage(data: unknown, isBinary: boolean): void {
    lastHeardMs = clock.now();
    const text = isBinary ? undefined : String(data);
    const parsed = text === undefined ? undefined : parseAgentFrame(text);
    if (!parsed) {
      send({
        type: "error",
        code: "binary_frame",
        message: "reading a frame: send JSON text, not binary data",
      });
      return;
    }
    if (!parsed.ok) {
      logger.debug("an agent sent what is no frame", { code: parsed.error.code });
      send({ type: "error", code: parsed.error.code, message: parsed.error.message });
      return;
    }
    const { frame } = parsed;
    if (frame.type !== "hello" && greeted) onFrame(frame);
    else if (frame.type === "hello" && !greeted) {
      greeted = true;
      onHello(frame);
    } else close(closeCodes.protocolError, greeted ? "hello comes once" : "hello comes first");
  }

  function beat(): void {
    if (clock.now() - lastHeardMs > agentLimits.deadAfterMs) socket.terminate();
    else socket.ping();
  }

  function stopTimers(): void {
    for (const cancel of timers) cancel();
  }

  socket.on("message", onMessage);
  socket.on("pong", () => {
    lastHeardMs = clock.now();
  });
  socket.on("error", (error) => logger.debug("an agent's socket failed", { error }));
  socket.once("close", (code: number) => {
    stopTimers();
    onClose(code);
  });

  timers.push(
    clock.after(agentLimits.handshakeTimeoutMs, () => {
      if (!greeted) close(closeCodes.handshakeTimeout, "no hello in time");
    }),
    // A random first offset, so that many agents that came at once are not pinged at once for ever.
    clock.after(random.next() * agentLimits.heartbeatMs, () => {
      beat();
      timers.push(clock.every(agentLimits.heartbeatMs, beat));
    }),
  );
  return { send, close, terminate: () => socket.terminate() };
}
