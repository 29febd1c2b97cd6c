import {
  type AgentFrame,
  encodeFrame,
  type HelloFrame,
  type NodeFrame,
  parseAgentFrame,
  type TaskFrame,
  type WelcomeFrame,
} from "@parallax/protocol";
import type { Transport, TransportEnd, TransportListener } from "../src/index.ts";

/** The node's side of a connection. */
export interface FakeSocket {
  readonly url: string;
  readonly token: string | undefined;
  /** Frames from the agent, in order. */
  readonly frames: readonly AgentFrame[];
  readonly closedWith: number | undefined;
  readonly terminated: boolean;
  /** The upgrade is done: the agent says hello. */
  open(): void;
  /** `open()`, and the node's answer to hello. */
  welcome(overrides?: Partial<WelcomeFrame>): void;
  send(frame: NodeFrame): void;
  text(text: string): void;
  ping(): void;
  /** The connection ends; frames that follow are what a broken transport might still bring. */
  end(end: TransportEnd): void;
}

/** A network without sockets: what an agent connects to is looked at and driven from a test. */
export interface FakeNetwork {
  readonly transport: Transport;
  readonly sockets: readonly FakeSocket[];
  readonly last: FakeSocket;
  /** Whether the agent's closing handshake is answered. Default true. */
  answersClose: boolean;
  /** How many bytes wait to be sent, as the agent sees it. */
  bufferedBytes: number;
}

export function createFakeNetwork(): FakeNetwork {
  const sockets: FakeSocket[] = [];
  const network: FakeNetwork = {
    sockets,
    answersClose: true,
    bufferedBytes: 0,
    get last() {
      const socket = sockets.at(-1);
      if (!socket) throw new Error("nothing has connected yet");
      return socket;
    },
    transport({ url, token }, listener) {
      const frames: AgentFrame[] = [];
      const state: { closedWith?: number; terminated: boolean; over: boolean } = {
        terminated: false,
        over: false,
      };
      const end = (ended: TransportEnd): void => {
        if (!state.over) listener.ended(ended);
        state.over = true;
      };
      sockets.push(fakeSocket({ url, token, frames, listener, end, state }));
      return {
        send(text) {
          const parsed = parseAgentFrame(text);
          if (!parsed.ok) throw new Error(parsed.error.message);
          frames.push(parsed.frame);
        },
        get bufferedBytes() {
          return network.bufferedBytes;
        },
        close(code, reason) {
          state.closedWith = code;
          if (network.answersClose) setImmediate(() => end({ code, reason }));
        },
        terminate() {
          state.terminated = true;
          setImmediate(() => end({ code: 1006, reason: "" }));
        },
      };
    },
  };
  return network;
}

interface Parts {
  readonly url: string;
  readonly token: string | undefined;
  readonly frames: readonly AgentFrame[];
  readonly listener: TransportListener;
  readonly end: (end: TransportEnd) => void;
  readonly state: { readonly closedWith?: number; readonly terminated: boolean };
}

function fakeSocket({ url, token, frames, listener, end, state }: Parts): FakeSocket {
  const send = (frame: NodeFrame): void => listener.received(encodeFrame(frame));
  return {
    url,
    token,
    frames,
    get closedWith() {
      return state.closedWith;
    },
    get terminated() {
      return state.terminated;
    },
    open: () => listener.opened(),
    welcome(overrides) {
      listener.opened();
      send({ ...welcomeFrame, ...overrides });
    },
    send,
    text: (text) => listener.received(text),
    ping: () => listener.alive(),
    end,
  };
}

const welcomeFrame: WelcomeFrame = {
  type: "welcome",
  agentId: "agent_a",
  nodeId: "node-1",
  resumeToken: "secret",
  resumed: false,
  limits: { maxPayloadBytes: 1_048_576 },
  heartbeatMs: 15_000,
  reconnect: { graceMs: 30_000, spreadMs: 5_000 },
};

export function taskFrame(index: number, overrides: Partial<TaskFrame> = {}): TaskFrame {
  const executionId = "exec_a";
  const base = { type: "task", taskId: `${executionId}:${index}`, executionId, attempt: 1 } as const;
  return {
    ...base,
    capabilities: ["classification"],
    pattern: "content-classifier",
    input: index,
    deadlineMs: 60_000,
    ...overrides,
  };
}

/** The hello of a connection. */
export function helloOf(socket: FakeSocket): HelloFrame {
  const frame = socket.frames.find((candidate) => candidate.type === "hello");
  if (frame?.type !== "hello") throw new Error("the agent has not said hello");
  return frame;
}
