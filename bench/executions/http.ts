import { connect, type Socket } from "node:net";

/** An answer, as far as a load generator looks at it. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Pending {
  readonly text: string;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Posts JSON over a few connections that stay open. It costs little, so that the measured one has the machine. */
export interface Poster {
  post(path: string, body: string): Promise<Answer>;
  close(): void;
}

export function createPoster(url: string, connections: number): Poster {
  const { hostname, port, host } = new URL(url);
  const open = new Set<Line>();
  const idle: Line[] = Array.from({ length: connections }, openLine);
  const waiting: Pending[] = [];
  let first = 0;

  function openLine(): Line {
    const line = createLine(connect(Number(port), hostname));
    open.add(line);
    line.socket.once("close", () => open.delete(line));
    return line;
  }

  function next(line: Line): void {
    const pending = waiting[first];
    if (!pending) {
      waiting.length = 0;
      first = 0;
      idle.push(line);
      return;
    }
    first += 1;
    run(line, pending);
  }

  function run(line: Line, pending: Pending): void {
    line.ask(pending.text).then(
      (answer) => {
        next(line);
        pending.resolve(answer);
      },
      (error: unknown) => {
        pending.reject(error);
        next(openLine());
      },
    );
  }

  return {
    post(path, body) {
      const length = Buffer.byteLength(body);
      const text = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
      return new Promise((resolve, reject) => {
        const pending = { text, resolve, reject };
        const line = idle.pop();
        // A server closes what it was sent nothing on for a while.
        if (line) run(open.has(line) ? line : openLine(), pending);
        else waiting.push(pending);
      });
    },
    close() {
      for (const { socket } of open) socket.destroy();
    },
  };
}

interface Line {
  readonly socket: Socket;
  ask(text: string): Promise<Answer>;
}

/** One connection with one request at a time. Understands answers with a length and chunked ones. */
function createLine(socket: Socket): Line {
  let received = "";
  let settle: { resolve(answer: Answer): void; reject(error: unknown): void } | undefined;
  socket.setNoDelay(true);
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    const answer = parse(received);
    if (!answer) return;
    received = "";
    settle?.resolve(answer);
  });
  socket.on("error", (error) => settle?.reject(error));
  socket.once("close", () => settle?.reject(new Error("the server closed the connection")));
  return {
    socket,
    ask(text) {
      return new Promise((resolve, reject) => {
        settle = { resolve, reject };
        socket.write(text);
      });
    },
  };
}

function parse(text: string): Answer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end).toLowerCase();
  const body = text.slice(end + 4);
  const status = Number(head.slice(9, 12));
  const length = /content-length: (\d+)/.exec(head)?.[1];
  if (length !== undefined) return body.length >= Number(length) ? { status, body } : undefined;
  return body.endsWith("0\r\n\r\n") ? { status, body } : undefined;
}
