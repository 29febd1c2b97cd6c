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
import { Allowance } from "./allowance.ts";
import { Reading, type ReadStream } from "./reading.ts";
import { type FrameStream, SendTogether } from "./send-together.ts";

/** What is used of a WebSocket. */
export type AgentSocket = Pick<EventEmitter, "on" | "once"> &
  Pick<WebSocket, "OPEN" | "readyState" | "bufferedAmount"> &
  Pick<WebSocket, "send" | "ping" | "pong" | "pause" | "resume" | "close" | "terminate">;

/** What is used of the stream below it. */
export type AgentStream = FrameStream & ReadStream;

/** What all connections of a node share. */
export interface ConnectionContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For what is no frame, of whatever connection: a thousand bad agents do no more harm than one. */
  readonly faults: Allowance;
  /** The first frame. */
  onHello(connection: AgentConnection, hello: HelloFrame): void;
  onFrame(connection: AgentConnection, frame: Exclude<AgentFrame, HelloFrame>): void;
  /** Whether the agent reads so slowly that it gets no tasks has changed. */
  onCongestion(connection: AgentConnection, congested: boolean): void;
  onClose(connection: AgentConnection): void;
}

/** How often a connection is looked at, in ms. */
export const beatMs = 1000;

/** Past this many bytes of unsent frames an agent gets no more tasks; past the hard mark it is closed. */
const highWaterBytes = 256 * 1024;
const hardLimitBytes = 1024 * 1024;

/** What all connections of a node together may send that is no frame. */
export const faultsOfAll = { perSecond: 100, burst: agentLimits.maxFaults } as const;
const faultsOfOne = { perSecond: 1, burst: agentLimits.maxFaults } as const;
/** After each fault nothing is read for so long, and longer after a large one: a flood of them comes in at this pace. */
const restAfterFault = { ms: 50, bytesPerMs: 1024 } as const;

const notText = {
  ok: false,
  error: { code: "binary_frame", message: "reading a frame: send JSON text, not binary data" },
} as const;

/**
 * One agent's socket: frames in and out, pings, and the bounds of what waits on either side. There are thousands of them, so it
 * is an object without closures.
 */
export class AgentConnection {
  readonly #context: ConnectionContext;
  readonly #socket: AgentSocket;
  readonly #stream: AgentStream | undefined;
  readonly #together: SendTogether | undefined;
  readonly #reading: Reading;
  readonly #openedMs: number;
  #nextPingMs: number;
  #pinged: Buffer | undefined;
  #faults: Allowance | undefined;
  #fault: string | undefined;
  #isGreeted = false;
  #isCongested = false;

  /** `stream`: what is below the socket, where there is something: frames of one turn then leave together. */
  constructor(context: ConnectionContext, socket: AgentSocket, stream?: AgentStream) {
    const { clock, random, logger } = context;
    this.#context = context;
    this.#socket = socket;
    this.#stream = stream;
    this.#together = stream && new SendTogether(stream);
    this.#reading = new Reading(socket, clock, this);
    this.#openedMs = clock.now();
    // Agents that came at once are not pinged at once for ever.
    this.#nextPingMs = this.#openedMs + random.next() * agentLimits.heartbeatMs;
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#reading.receive(data, isBinary));
    socket.on("pong", () => this.#reading.receiveSign());
    socket.on("ping", (data: Buffer) => this.#onPing(data));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      logger.debug("an agent's socket failed", { error });
      // The words of ws for what is no frame of a WebSocket, or a longer one than may be.
      if (error.code?.startsWith("WS_ERR")) this.#fault ??= error.message;
      this.#reading.end(stream);
    });
    socket.once("close", () => {
      this.#reading.finish();
      context.onClose(this);
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Why it was cut off, where that was the agent's fault. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** What the network has not taken yet, in bytes. */
  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** False when the frame was not sent: the socket is closing or its buffer is full. */
  send(frame: NodeFrame): boolean {
    if (!this.isOpen) return false;
    if (this.unsentBytes > hardLimitBytes) {
      this.#cutOff(closeCodes.tooSlow, "reads too slowly");
      return false;
    }
    if (frame.type === "task" && this.#isCongested) return false;
    this.#together?.before();
    this.#socket.send(encodeFrame(frame));
    this.#together?.after();
    if (frame.type === "task") this.#reading.expectAnswers();
    if (!this.#isCongested && this.unsentBytes > highWaterBytes) this.#setCongested(true);
    return true;
  }

  close(code: number, reason: string): void {
    this.#reading.end(this.#stream);
    this.#socket.close(code, reason);
  }

  #cutOff(code: number, reason: string): void {
    this.#fault ??= reason;
    this.close(code, reason);
  }

  /** Ends it without a closing handshake. */
  terminate(): void {
    this.#reading.end();
    this.#socket.terminate();
  }

  /** Reads nothing more until `resume` was called as often: what was read before is not done yet. */
  pause(): void {
    this.#reading.pause();
  }

  resume(): void {
    this.#reading.resume();
  }

  /** What has come in, in its turn. */
  take(data: Buffer, isBinary: boolean): void {
    const parsed = isBinary ? notText : parseAgentFrame(data.toString());
    if (!parsed.ok) this.#refuse(parsed.error, data.length);
    else if (parsed.frame.type !== "hello" && this.#isGreeted) this.#context.onFrame(this, parsed.frame);
    else if (parsed.frame.type === "hello" && !this.#isGreeted) {
      this.#isGreeted = true;
      this.#context.onHello(this, parsed.frame);
    } else this.#cutOff(closeCodes.protocolError, this.#isGreeted ? "hello comes once" : "hello comes first");
  }

  #refuse({ code, message }: { readonly code: string; readonly message: string }, sizeBytes: number): void {
    const { clock, logger, faults } = this.#context;
    const nowMs = clock.now();
    this.#faults ??= new Allowance(faultsOfOne);
    logger.debug("an agent sent what is no frame", { code });
    if (this.#faults.take(1, nowMs) > 0) {
      this.#cutOff(closeCodes.tooMany, "too much of what it sends is no frame");
      return;
    }
    this.send({ type: "error", code, message });
    const { ms, bytesPerMs } = restAfterFault;
    this.#reading.rest(Math.max(ms, sizeBytes / bytesPerMs, faults.take(1, nowMs)));
  }

  #setCongested(value: boolean): void {
    this.#isCongested = value;
    this.#context.onCongestion(this, value);
  }

  /** To be called every {@link beatMs}. `lateMs`: for so long this process could not have heard anything. */
  beat(lateMs: number): void {
    const silentMs = this.#reading.silentMs(lateMs);
    if (this.#isCongested && this.unsentBytes <= highWaterBytes / 2) this.#setCongested(false);
    if (!this.isOpen) return;
    const { handshakeTimeoutMs, deadAfterMs } = agentLimits;
    const { clock } = this.#context;
    if (!this.#isGreeted && clock.now() - this.#openedMs > handshakeTimeoutMs) {
      this.close(closeCodes.handshakeTimeout, "no hello in time");
    } else if (silentMs > deadAfterMs - beatMs) this.terminate();
    else this.#ping();
  }

  /**
   * A ping that is due before the next beat, at its own moment: thousands in one turn of the event loop would hold up everybody
   * else.
   */
  #ping(): void {
    const { clock } = this.#context;
    const inMs = Math.max(0, this.#nextPingMs - clock.now());
    if (inMs >= beatMs) return;
    this.#nextPingMs = clock.now() + inMs + agentLimits.heartbeatMs;
    clock.after(inMs, () => {
      if (this.isOpen) this.#socket.ping();
    });
  }

  /** All pings of one turn have one answer, to the last of them (RFC 6455, 5.5.3). */
  #onPing(data: Buffer): void {
    this.#reading.receiveSign();
    const isDue = this.#pinged !== undefined;
    this.#pinged = data;
    if (isDue) return;
    process.nextTick(() => {
      const pinged = this.#pinged;
      this.#pinged = undefined;
      if (this.isOpen && this.unsentBytes <= highWaterBytes) this.#socket.pong(pinged);
    });
  }
}
