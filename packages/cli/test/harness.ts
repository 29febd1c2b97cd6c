import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { createProgram, type Io, type ProgramOptions, runProgram } from "../src/index.ts";

/** What a run of the command left behind. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command as a process would, without being one. */
export async function parallax(
  args: readonly string[],
  io: Partial<Io> = {},
  options: ProgramOptions = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const full: Io = {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    isTty: false,
    env: {},
    readStdin: async () => "",
    readFile: async () => {
      throw new Error("no such file");
    },
    signal: new AbortController().signal,
    ...io,
  };
  const code = await runProgram(createProgram({ ...options, io: full }), args, full);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

/** A control plane that answers each path with what it is given. */
export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly Seen[];
}

/** Starts one. A function answers by itself; anything else is sent as JSON, an error body with 409. */
export async function serve(
  answers: Readonly<Record<string, unknown | ((response: ServerResponse) => void)>>,
): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = "", url: path = "", headers } = request;
      seen.push({
        method,
        path,
        authorization: headers.authorization,
        body: body ? JSON.parse(body) : undefined,
      });
      const answer = answers[path.split("?")[0] ?? ""];
      if (typeof answer === "function") return answer(response);
      const failed = typeof answer === "object" && answer !== null && "requestId" in answer;
      response
        .writeHead(failed ? 409 : 200, { "content-type": "application/json" })
        .end(JSON.stringify(answer));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** An error as the control plane sends it. */
export function refusal(code: string, message: string): object {
  return { error: { code, message }, requestId: "req-1" };
}
