import { once } from "node:events";
import { agentPath, agentSubprotocol } from "@parallax/protocol";
import { WebSocket } from "ws";

/** What an agent says of itself that can do one thing. */
export function helloOf(name: string, capability: string, slots: number): string {
  return JSON.stringify({
    type: "hello",
    name,
    capabilities: [capability],
    maxConcurrentTasks: slots,
    metadata: {},
    connection: 1,
    holding: [],
    owed: [],
  });
}

/** Agents with nothing to them but a socket, so that many of them cost the bench little. */
export async function connectRaw(options: {
  readonly url: string;
  readonly count: number;
  readonly capability?: string;
  readonly slots?: number;
  /** Whether they say hello and wait for their welcome. A plain WebSocket server answers nothing. */
  readonly greet?: boolean;
}): Promise<readonly WebSocket[]> {
  const { url, count, capability = "idle", slots = 1, greet = true } = options;
  const sockets: WebSocket[] = [];

  async function connect(index: number): Promise<void> {
    const socket = new WebSocket(`${url.replace("http", "ws")}${agentPath}`, agentSubprotocol, {
      perMessageDeflate: false,
    });
    socket.on("error", (error) => console.log(`a socket failed: ${error.message}`));
    await once(socket, "open");
    if (greet) {
      socket.send(helloOf(`agent-${index}`, capability, slots));
      await once(socket, "message");
    }
    sockets.push(socket);
  }

  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(count, 50) }, async () => {
      for (let index = next++; index < count; index = next++) await connect(index);
    }),
  );
  return sockets;
}
