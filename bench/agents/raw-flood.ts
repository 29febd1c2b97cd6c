import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { agentPath, agentSubprotocol } from "@parallax/protocol";

/** The bytes of one frame, as an agent sends it. The mask is zero, so that it costs nothing to put on. */
function frameOf(data: string | Buffer): Buffer {
  const payload = Buffer.from(data);
  const head = Buffer.alloc(14);
  head[0] = typeof data === "string" ? 0x81 : 0x82;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

/** Whether the node says that it closes: its frames are short here, and none of them is masked. */
function closes(chunk: Buffer): boolean {
  for (let at = 0; at + 1 < chunk.length; ) {
    const [first = 0, length = 0] = chunk.subarray(at);
    if ((first & 0x0f) === 0x08) return true;
    at += length < 126 ? 2 + length : 4 + chunk.readUInt16BE(at + 2);
  }
  return false;
}

function open(url: string): Promise<Socket> {
  const asked = request(`${url}${agentPath}`, {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
      "Sec-WebSocket-Protocol": agentSubprotocol,
    },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.once("upgrade", (_, socket) => resolve(socket));
    asked.once("error", reject);
  });
}

/**
 * Says hello and pours `data` as fast as the node takes it, until the node closes the connection. A client that costs next to nothing:
 * what others notice is then the node's doing.
 */
export async function pourOnce(url: string, hello: string, data: string | Buffer): Promise<void> {
  const socket = await open(url);
  socket.on("error", () => {});
  const ended = once(socket, "close");
  socket.on("data", (chunk: Buffer) => {
    if (closes(chunk)) socket.destroy();
  });
  const frame = frameOf(data);
  const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / frame.length) }, () => frame));
  socket.write(frameOf(hello));
  const pour = (): void => {
    while (!socket.destroyed && socket.write(many));
  };
  socket.on("drain", pour);
  pour();
  await ended;
}
