import type { CancelTimer, Clock } from "@parallax/core";
import { agentLimits } from "@parallax/protocol";
import { Allowance } from "./allowance.ts";

/** Where it reads from. */
export interface Readable {
  pause(): void;
  resume(): void;
}

/** What is used of the stream below it. */
export interface ReadStream {
  on(event: "data", listener: () => void): unknown;
  resume(): unknown;
}

/** Who takes what is read. */
export interface Taker {
  take(data: Buffer, isBinary: boolean): void;
}

/** A task is answered with its acceptance and its outcome. Whoever works fast must not be read slowly for that. */
const framesPerTask = 2;

const bounds = {
  /** At once comes all that an agent may have on its way after a reconnect. */
  frames: {
    perSecond: agentLimits.framesPerSecond,
    burst: 5 * agentLimits.framesPerSecond,
    mostExpected: framesPerTask * agentLimits.maxConcurrentTasks,
  },
  bytes: { perSecond: agentLimits.bytesPerSecond, burst: 8 * agentLimits.bytesPerSecond },
  /** Also of what is asked for, no more than this in a turn of the event loop: others want theirs. */
  turn: { perSecond: 16_000, burst: 64 },
} as const;

/** How long nothing is read after each piece, of 64 KiB at most, of what is not taken any more. */
const restAfterEndMs = 20;

/**
 * What comes in on one connection, taken no faster than it may be, and not while something before it is not done: the rest waits
 * in the network, and in the end at the agent.
 */
export class Reading {
  readonly #source: Readable;
  readonly #clock: Clock;
  readonly #taker: Taker;
  readonly #frames = new Allowance(bounds.frames);
  readonly #bytes = new Allowance(bounds.bytes);
  readonly #turn = new Allowance(bounds.turn);
  /** How many reasons there are at present not to read. */
  #pauses = 0;
  /** Frames that had come in one piece with the last one before the pause. */
  #waiting: { readonly data: Buffer; readonly isBinary: boolean }[] | undefined;
  #restUntilMs = 0;
  #cancelRest: CancelTimer | undefined;
  #isOver = false;
  #heardMs: number;

  constructor(source: Readable, clock: Clock, taker: Taker) {
    this.#source = source;
    this.#clock = clock;
    this.#taker = taker;
    this.#heardMs = clock.now();
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    if (this.#pauses === 0) this.#take(data, isBinary);
    else {
      this.#waiting ??= [];
      this.#waiting.push({ data, isBinary });
    }
  }

  /** Counts what is no frame of the protocol, such as a ping. */
  receiveSign(): void {
    const nowMs = this.#clock.now();
    this.#heardMs = nowMs;
    this.rest(this.#frames.take(1, nowMs));
  }

  #take(data: Buffer, isBinary: boolean): void {
    const nowMs = this.#clock.now();
    this.#heardMs = nowMs;
    const { length } = data;
    this.rest(
      Math.max(this.#frames.take(1, nowMs), this.#bytes.take(length, nowMs), this.#turn.take(1, nowMs)),
    );
    this.#taker.take(data, isBinary);
  }

  /** A task was sent: its answers do not count. */
  expectAnswers(): void {
    this.#frames.expect(framesPerTask);
  }

  /** Takes nothing more for so long. */
  rest(ms: number): void {
    const untilMs = this.#clock.now() + ms;
    if (ms <= 0 || untilMs <= this.#restUntilMs || this.#isOver) return;
    this.#restUntilMs = untilMs;
    if (this.#cancelRest) return;
    this.pause();
    this.#restFor(ms);
  }

  #restFor(ms: number): void {
    this.#cancelRest = this.#clock.after(ms, () => {
      this.#cancelRest = undefined;
      const leftMs = this.#restUntilMs - this.#clock.now();
      if (leftMs > 0) this.#restFor(leftMs);
      else this.resume();
    });
  }

  /** Takes nothing more until `resume` was called as often. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses === 1 && !this.#isOver) this.#source.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    // What was not read was not silence either.
    this.#heardMs = this.#clock.now();
    while (this.#pauses === 0) {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#take(next.data, next.isBinary);
    }
    if (this.#pauses > 0 || this.#isOver) return;
    this.#waiting = undefined;
    this.#source.resume();
  }

  /** The other end has closed: what it had said before is taken, and then nothing more. */
  finish(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { data, isBinary } of waiting) if (!this.#isOver) this.#taker.take(data, isBinary);
    this.end();
  }

  /**
   * Nothing more is taken (X10): what it brought comes again on the next connection. Until the other end has heard of it and closes as
   * well, what it still sends is read piece by piece with rests between them, for it may be a flood.
   */
  end(stream?: ReadStream): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = undefined;
    // A process that ends does not wait for it.
    this.#cancelRest?.();
    if (this.#pauses > 0) this.#source.resume();
    stream?.on("data", () => {
      this.#source.pause();
      this.#clock.after(restAfterEndMs, () => {
        this.#source.resume();
        // After a frame that it could not take a WebSocket leaves this to us.
        stream.resume();
      });
    });
  }

  /** For how long nothing was heard. `lateMs`: for so long this process could not have heard anything. */
  silentMs(lateMs: number): number {
    const nowMs = this.#clock.now();
    this.#heardMs = this.#pauses > 0 ? nowMs : Math.min(nowMs, this.#heardMs + lateMs);
    return nowMs - this.#heardMs;
  }
}
