import { EventEmitter } from "node:events";
import { ParallaxAgent, type Transport } from "@parallax/agent";
import { type Random, seededRandom } from "@parallax/core";
import type { NodeClock, Timeline } from "@parallax/testing";
import type { AgentSocket } from "../../src/agents/connection.ts";

/** Takes a new connection, or doesn't. */
export type Door = (socket: AgentSocket) => boolean;

/** The node's end of a connection that is two objects in one process. */
class Pipe extends EventEmitter implements AgentSocket {
  readonly OPEN = 1 as const;
  readyState: AgentSocket["readyState"] = 1;
  readonly bufferedAmount = 0;
  readonly #toAgent: (text: string) => void;
  readonly #ended: (code: number) => void;

  constructor(toAgent: (text: string) => void, ended: (code: number) => void) {
    super();
    this.#toAgent = toAgent;
    this.#ended = ended;
  }

  send(data: unknown): void {
    if (this.readyState === 1) this.#toAgent(String(data));
  }
  ping(): void {
    queueMicrotask(() => this.emit("pong"));
  }
  pause(): void {}
  resume(): void {}
  close(code = 1000): void {
    if (this.readyState !== 1) return;
    this.readyState = 3;
    this.#ended(code);
    queueMicrotask(() => this.emit("close", code));
  }
  terminate(): void {
    this.close(1006);
  }
}

/** An agent as a simulation has it: the real one, on a connection and a clock of the simulation. */
export interface SimulatedAgent {
  /** Its connection is gone without a word. */
  cut(): void;
  /** The process ends; a new one with the same name starts after `ms`. */
  die(ms: number): void;
  /** Its answers take this much longer from now on. */
  slowMs: number;
  /** The tasks that it was given, each as often as it began. */
  readonly begun: readonly string[];
}

export function startAgent(options: {
  readonly name: string;
  readonly seed: number;
  readonly timeline: Timeline;
  /** How many of its tasks fail. Default 0. */
  readonly failing?: number;
  /** How long a task takes at most. Default 6000. */
  readonly longestMs?: number;
  /** The doors that are open now. */
  readonly doors: () => readonly Door[];
}): SimulatedAgent {
  const { name, timeline, failing = 0, longestMs = 6000 } = options;
  const random: Random = seededRandom(options.seed);
  let clock: NodeClock;
  let sockets = new Set<Pipe>();
  const outside = timeline.clock();

  function transportOf(mine: Set<Pipe>, on: NodeClock): Transport {
    return (_, listener) => {
      const door = pickDoor();
      let pipe: Pipe | undefined;
      const ended = (code: number): void => {
        if (pipe) mine.delete(pipe);
        on.after(1, () => listener.ended({ code, reason: "" }));
      };
      on.after(1, () => {
        const made = new Pipe((text) => on.after(1, () => listener.received(text)), ended);
        if (!door?.(made)) return ended(1006);
        pipe = made;
        mine.add(made);
        listener.opened();
      });
      return {
        send: (text) =>
          void queueMicrotask(() => pipe?.readyState === 1 && pipe.emit("message", Buffer.from(text), false)),
        bufferedBytes: 0,
        close: (code) => pipe?.close(code),
        terminate: () => pipe?.terminate(),
      };
    };
  }

  function pickDoor(): Door | undefined {
    const doors = options.doors();
    return doors[Math.floor(random.next() * doors.length)];
  }

  function start(): void {
    clock = timeline.clock();
    sockets = new Set();
    const agent = new ParallaxAgent({
      controlPlaneUrl: "http://node",
      name,
      maxConcurrentTasks: 4,
      reconnect: { maxRetries: Number.POSITIVE_INFINITY, backoff: { initial: 100, max: 1000 } },
      clock,
      random,
      transport: transportOf(sockets, clock),
    });
    const on = clock;
    agent.onTask("work", async (task) => {
      begun.push(task.id);
      await on.sleep(50 + Math.floor(random.next() ** 3 * longestMs) + simulated.slowMs);
      if (random.next() < failing) throw new Error("it can't");
      return { result: `done ${JSON.stringify(task.input)}`, confidence: 0.5 };
    });
    agent.start().catch(() => {});
  }

  const begun: string[] = [];
  const simulated: SimulatedAgent = {
    begun,
    slowMs: 0,
    cut() {
      for (const pipe of [...sockets]) pipe.terminate();
    },
    die(ms) {
      clock.kill();
      for (const pipe of [...sockets]) pipe.terminate();
      outside.after(ms, start);
    },
  };
  start();
  return simulated;
}
