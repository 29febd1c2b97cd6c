import type { EventEmitter } from "node:events";
import type { Clock, Logger, Random } from "@parallax/core";
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
import { createAllowance } from "./allowance.ts";
import { createSendTogether, type FrameStream } from "./send-together.ts";

/** What is used of a WebSocket. */
export type AgentSocket = Pick<EventEmitter, "on" | "once"> &
  Pick<
    WebSocket,
    "OPEN" | "readyState" | "bufferedAmount" | "send" | "ping" | "pause" | "resume" | "close" | "terminate"
  >;

export interface ConnectionOptions {
  readonly socket: AgentSocket;
  /** What is below it, where there is something: frames of one turn then leave together. */
  readonly stream?: FrameStream | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The first frame. */
  readonly onHello: (hello: HelloFrame) => void;
  readonly onFrame: (frame: Exclude<AgentFrame, HelloFrame>) => void;
  /** Whether the agent reads so slowly that it gets no tasks has changed. */
  readonly onCongestion: (congested: boolean) => void;
  readonly onClose: (code: number) => void;
}

/** One agent's socket: frames in and out, pings, and the bounds of what waits on either side. */
export interface AgentConnection {
  /** False when the frame was not sent: the socket is closing or its buffer is full. */
  send(frame: NodeFrame): boolean;
  close(code: number, reason: string): void;
  /** Ends it without a closing handshake. */
  terminate(): void;
  /** Reads nothing more until `resume` was called as often: what was read before is not done yet. */
  pause(): void;
  resume(): void;
  /** To be called every {@link beatMs}. `lateMs`: for so long this process could not have heard anything. */
  beat(lateMs: number): void;
  readonly isOpen: boolean;
  /** What the network has not taken yet, in bytes. */
  readonly unsentBytes: number;
}

/** How often a connection is looked at, in ms: one timer of the hub does it for all of them. */
export const beatMs = 1000;

/** Past this many bytes of unsent frames an agent gets no more tasks; past the hard mark it is closed. */
const highWaterBytes = 256 * 1024;
const hardLimitBytes = 1024 * 1024;

/** What comes in at once is taken: all that an agent may have on its way after a reconnect. */
const burst = { frames: 5 * agentLimits.framesPerSecond, bytes: 8 * agentLimits.bytesPerSecond };

/** A task is answered with its acceptance and its outcome. Whoever works fast must not be read slowly for that. */
const framesPerTask = 2;
const mostExpected = framesPerTask * agentLimits.maxConcurrentTasks;

const notText = {
  ok: false,
  error: { code: "binary_frame", message: "reading a frame: send JSON text, not binary data" },
} as const;

export function createAgentConnection(options: ConnectionOptions): AgentConnection {
  const { socket, clock, logger, onHello, onFrame, onCongestion, onClose } = options;
  const openedMs = clock.now();
  const frames = createAllowance({
    perSecond: agentLimits.framesPerSecond,
    burst: burst.frames,
    mostExpected,
  });
  const bytes = createAllowance({ perSecond: agentLimits.bytesPerSecond, burst: burst.bytes });
  const faults = createAllowance({ perSecond: 1, burst: agentLimits.maxFaults });
  const together = options.stream && createSendTogether(options.stream);
  let greeted = false;
  let lastHeardMs = openedMs;
  const beatPings = createPings(options);
  let congested = false;
  /** How many reasons there are at present not to read. */
  let pauses = 0;

  const isOpen = (): boolean => socket.readyState === socket.OPEN;

  function send(frame: NodeFrame): boolean {
    if (!isOpen()) return false;
    if (socket.bufferedAmount > hardLimitBytes) {
      close(closeCodes.tooSlow, "reads too slowly");
      return false;
    }
    if (frame.type === "task" && congested) return false;
    together?.before();
    socket.send(encodeFrame(frame));
    together?.after();
    if (frame.type === "task") frames.expect(framesPerTask);
    if (!congested && socket.bufferedAmount > highWaterBytes) setCongested(true);
    return true;
  }

  function setCongested(value: boolean): void {
    congested = value;
    onCongestion(value);
  }

  function close(code: number, reason: string): void {
    socket.close(code, reason);
  }

  function pause(): void {
    pauses += 1;
    if (pauses === 1) socket.pause();
  }

  function resume(): void {
    pauses -= 1;
    // What was not read was not silence either.
    lastHeardMs = clock.now();
    if (pauses === 0) socket.resume();
  }

  /** Reads no faster than is allowed: the rest waits in the network, and in the end at the agent. */
  function pace(sizeBytes: number): void {
    const nowMs = clock.now();
    lastHeardMs = nowMs;
    const waitMs = Math.max(frames.take(1, nowMs), bytes.take(sizeBytes, nowMs));
    if (waitMs === 0) return;
    pause();
    clock.after(waitMs, resume);
  }

  function refuse(code: string, message: string): void {
    if (faults.take(1, clock.now()) > 0) close(closeCodes.tooMany, "too much of what it sends is no frame");
    else send({ type: "error", code, message });
  }

  function onMessage(data: Buffer, isBinary: boolean): void {
    pace(data.length);
    // After its end a connection is not heeded (X10); what it brought comes again on the next one.
    if (!isOpen()) return;
    const parsed = isBinary ? notText : parseAgentFrame(data.toString());
    if (parsed.ok) take(parsed.frame);
    else {
      logger.debug("an agent sent what is no frame", { code: parsed.error.code });
      refuse(parsed.error.code, parsed.error.message);
    }
  }

  function take(frame: AgentFrame): void {
    if (frame.type !== "hello" && greeted) onFrame(frame);
    else if (frame.type === "hello" && !greeted) {
      greeted = true;
      onHello(frame);
    } else close(closeCodes.protocolError, greeted ? "hello comes once" : "hello comes first");
  }

  function beat(lateMs: number): void {
    const nowMs = clock.now();
    lastHeardMs = pauses > 0 ? nowMs : lastHeardMs + lateMs;
    if (congested && socket.bufferedAmount <= highWaterBytes / 2) setCongested(false);
    if (!isOpen()) return;
    if (!greeted && nowMs - openedMs > agentLimits.handshakeTimeoutMs) {
      close(closeCodes.handshakeTimeout, "no hello in time");
    } else if (nowMs - lastHeardMs > agentLimits.deadAfterMs - beatMs) socket.terminate();
    else beatPings();
  }

  socket.on("message", onMessage);
  socket.on("pong", () => {
    lastHeardMs = clock.now();
  });
  socket.on("error", (error) => logger.debug("an agent's socket failed", { error }));
  socket.once("close", onClose);
  return {
    send,
    close,
    terminate: () => socket.terminate(),
    pause,
    resume,
    beat,
    get unsentBytes() {
      return socket.bufferedAmount;
    },
    get isOpen() {
      return isOpen();
    },
  };
}

/**
 * Pings that are due before the next beat, each at its own moment: thousands in one turn of the event loop would hold up everybody
 * else. The first comes after a random part of the interval, so that agents that came at once are not pinged at once for ever.
 */
function createPings({
  socket,
  clock,
  random,
}: Pick<ConnectionOptions, "socket" | "clock" | "random">): () => void {
  let nextMs = clock.now() + random.next() * agentLimits.heartbeatMs;
  return () => {
    const inMs = Math.max(0, nextMs - clock.now());
    if (inMs >= beatMs) return;
    nextMs = clock.now() + inMs + agentLimits.heartbeatMs;
    clock.after(inMs, () => {
      if (socket.readyState === socket.OPEN) socket.ping();
    });
  };
}
