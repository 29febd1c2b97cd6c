import { connect } from "node:net";
import { agentPath, agentSubprotocol, type NodeFrame, parseNodeFrame } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { WebSocket } from "ws";

/** An agent's socket without an agent: says whatever a test says, and takes down what the node answers. */
export interface RawAgent {
  readonly frames: readonly NodeFrame[];
  send(data: string | Buffer | object): void;
  /** The next frame of this type, counted from the first that was not asked for yet. */
  next<Type extends NodeFrame["type"]>(type: Type): Promise<Extract<NodeFrame, { type: Type }>>;
  /** The code that the node closed it with. */
  readonly closed: Promise<number>;
  /** Reads nothing and answers no ping, as a process does whose event loop is blocked. */
  pause(): void;
  resume(): void;
  close(): void;
}

export async function openSocket(url: string, token?: string): Promise<RawAgent> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const socket = new WebSocket(url.replace("http", "ws") + agentPath, agentSubprotocol, { headers });
  const frames: NodeFrame[] = [];
  let taken = 0;
  socket.on("message", (data) => {
    const parsed = parseNodeFrame(String(data));
    if (!parsed.ok) throw new Error(`this is no frame of a node: ${String(data)}`);
    frames.push(parsed.frame);
  });
  const closed = new Promise<number>((resolve) => socket.once("close", (code) => resolve(code)));
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  socket.on("error", () => {});

  return {
    frames,
    send(data) {
      socket.send(typeof data === "string" || Buffer.isBuffer(data) ? data : JSON.stringify(data));
    },
    next: (type) =>
      eventually(
        () => {
          const at = frames.findIndex((frame, index) => index >= taken && frame.type === type);
          const frame = frames[at];
          if (frame === undefined || !isOf(frame, type)) return undefined;
          taken = at + 1;
          return frame;
        },
        { message: `a frame of type ${type}, not only ${JSON.stringify(frames.slice(taken))}` },
      ),
    closed,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.terminate(),
  };
}

function isOf<Type extends NodeFrame["type"]>(
  frame: NodeFrame,
  type: Type,
): frame is Extract<NodeFrame, { type: Type }> {
  return frame.type === type;
}

/** What `hello` says, unless a test says otherwise. */
export function hello(changes: object = {}): object {
  return {
    type: "hello",
    name: "raw",
    capabilities: ["raw"],
    maxConcurrentTasks: 1,
    metadata: {},
    connection: 1,
    holding: [],
    owed: [],
    ...changes,
  };
}

/** An answer to a request that was written byte by byte. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly body: unknown;
}

/** Sends a request as it is, and reads the answer until the node closes the connection or the body is JSON. */
export async function sendRaw(url: string, lines: readonly string[]): Promise<RawAnswer> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  let over = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.on("error", () => {});
  socket.on("close", () => {
    over = true;
  });
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  try {
    await eventually(() => over || bodyOf(text) !== undefined, { message: "an answer" });
  } finally {
    socket.destroy();
  }
  return { status: Number(text.split(" ")[1]), text, body: bodyOf(text) };
}

function bodyOf(text: string): unknown {
  const start = text.indexOf("\r\n\r\n");
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}

/** The lines that ask for a WebSocket, as an agent's are unless a test says otherwise. */
export function upgradeLines(
  options: { readonly path?: string; readonly protocol?: string; readonly token?: string | undefined } = {},
): readonly string[] {
  const { path = agentPath, protocol = agentSubprotocol, token } = options;
  return [
    `GET ${path} HTTP/1.1`,
    "Host: node",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ];
}
