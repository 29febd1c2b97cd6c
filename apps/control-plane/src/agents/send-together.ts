import type { Duplex } from "node:stream";

/** What is used of the stream below a WebSocket. */
export type FrameStream = Pick<Duplex, "cork" | "uncork" | "writableLength">;

/** So many bytes wait for the end of a turn at most: more of them would look as if the network did not take them. */
const longestBytes = 64 * 1024;

/** Lets the frames that are sent in one turn of the event loop leave together: a write costs more than a frame. */
export interface SendTogether {
  before(): void;
  after(): void;
}

export function createSendTogether(stream: FrameStream): SendTogether {
  let isHeld = false;
  let isDue = false;

  function release(): void {
    if (!isHeld) return;
    isHeld = false;
    stream.uncork();
  }

  return {
    before() {
      if (isHeld) return;
      isHeld = true;
      stream.cork();
      if (isDue) return;
      isDue = true;
      // Behind the microtasks of this turn, in which most frames are sent.
      process.nextTick(() => {
        isDue = false;
        release();
      });
    },
    after() {
      if (stream.writableLength > longestBytes) release();
    },
  };
}
