import { EventEmitter } from "node:events";
import { type NodeFrame, parseNodeFrame } from "@parallax/protocol";

/** A WebSocket without a network: a test plays the agent's side, and says what waits in the node's buffer. */
export class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState: 1 | 2 | 3 = 1;
  /** What the network has not taken yet. Counted where {@link stalled}. */
  bufferedAmount = 0;
  /** Whether nothing leaves the node's buffer. */
  stalled = false;
  paused = false;
  pings = 0;
  /** What pings were answered. */
  readonly pongs: string[] = [];
  closedWith: number | undefined;
  readonly frames: NodeFrame[] = [];

  send(text: string): void {
    if (this.stalled) this.bufferedAmount += text.length;
    const parsed = parseNodeFrame(text);
    if (!parsed.ok) throw new Error(`this is no frame of a node: ${text.slice(0, 200)}`);
    this.frames.push(parsed.frame);
  }

  ping(): void {
    this.pings += 1;
  }

  pong(data: Buffer): void {
    this.pongs.push(data.toString());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The node's closing handshake, which the agent answers at once unless it reads nothing. */
  close(code: number): void {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.closedWith = code;
    if (!this.stalled) this.end(code);
  }

  terminate(): void {
    this.end(1006);
  }

  /** The connection is gone. */
  end(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.closedWith ??= code;
    this.emit("close", code);
  }

  /** The agent says something. */
  says(frame: object | string): void {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    this.emit("message", Buffer.from(text), false);
  }

  /** The frames of one type, in their order. */
  of<Type extends NodeFrame["type"]>(type: Type): readonly Extract<NodeFrame, { type: Type }>[] {
    return this.frames.flatMap((frame) => (isOf(frame, type) ? [frame] : []));
  }
}

function isOf<Type extends NodeFrame["type"]>(
  frame: NodeFrame,
  type: Type,
): frame is Extract<NodeFrame, { type: Type }> {
  return frame.type === type;
}
