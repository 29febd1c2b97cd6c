import { createServer, type Socket } from "node:net";

/** What the server does about a command: a reply as RESP writes it, nothing at all, or the end of the connection. */
export type ScriptedAnswer = string | "hang" | "close";

/** A server that speaks RESP and does to each command what a test says. */
export interface ScriptedRedis {
  readonly url: string;
  /** The commands that a test has to do with, in order of arrival: all but those of connecting. */
  readonly received: readonly (readonly string[])[];
  /** How many connections were made. */
  readonly accepted: number;
  /** Set by the test. */
  answer: (command: readonly string[], index: number) => ScriptedAnswer;
  /** Ends all connections. */
  cut(): void;
  stop(): Promise<void>;
}

const connecting: Readonly<Record<string, string>> = {
  client: "+OK\r\n",
  // ioredis 6 begins so, and goes on in RESP3.
  hello: "%1\r\n$5\r\nproto\r\n:3\r\n",
  info: bulk("redis_version:7.0.15\r\nrole:master\r\n"),
};

/** A bulk string in RESP. */
function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

export async function startScriptedRedis(): Promise<ScriptedRedis> {
  const received: string[][] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;

  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let buffered = "";
    socket.on("data", (data) => {
      buffered += data.toString();
      for (let next = parseCommand(buffered); next; next = parseCommand(buffered)) {
        buffered = buffered.slice(next.length);
        act(socket, next.command);
      }
    });
  });

  function act(socket: Socket, command: readonly string[]): void {
    const [name = ""] = command;
    const routine = connecting[name];
    if (routine !== undefined) {
      socket.write(routine);
      return;
    }
    received.push([...command]);
    const answer = scripted.answer(command, received.length - 1);
    if (answer === "close") socket.destroy();
    else if (answer !== "hang") socket.write(answer);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const scripted: ScriptedRedis = {
    url: `redis://127.0.0.1:${port}`,
    received,
    get accepted() {
      return accepted;
    },
    answer: () => "+OK\r\n",
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      scripted.cut();
      await closed;
    },
  };
  return scripted;
}

/** The first command of `text`, as `*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n`, and how long it is; all of it is ASCII here. */
function parseCommand(
  text: string,
): { readonly command: readonly string[]; readonly length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return undefined;
  const command: string[] = [];
  let at = head[0].length;
  for (let left = Number(head[1]); left > 0; left -= 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (!size) return undefined;
    at += size[0].length;
    const length = Number(size[1]);
    if (text.length < at + length + 2) return undefined;
    command.push(text.slice(at, at + length));
    at += length + 2;
  }
  return { command: [command[0]?.toLowerCase() ?? "", ...command.slice(1)], length: at };
}
