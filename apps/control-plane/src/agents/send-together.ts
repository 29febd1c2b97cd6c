import type { Duplex } from "node:stream";

/** What is used of the stream below a WebSocket. */
export type FrameStream = Pick<Duplex, "cork" | "uncork" | "writableLength">;

/** So many bytes wait for the end of a turn at most: more of them would look as if the network did not take them. */
const longestBytes = 64 * 1024;

/** Lets the frames that are sent in one turn of the event loop leave together: a write costs more than a frame. */
export class SendTogether {
  readonly #stream: FrameStream;
  #isHeld = false;
  #isDue = false;

  constructor(stream: FrameStream) {
    this.#stream = stream;
  }

  before(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#stream.cork();
    if (this.#isDue) return;
    this.#isDue = true;
    // Behind the microtasks of this turn, in which most frames are sent.
    process.nextTick(() => {
      this.#isDue = false;
      this.#release();
    });
  }

  after(): void {
    if (this.#stream.writableLength > longestBytes) this.#release();
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#stream.uncork();
  }
}
