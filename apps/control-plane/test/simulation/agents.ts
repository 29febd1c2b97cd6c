import { EventEmitter } from "node:events";
import { ParallaxAgent, type Task, type Transport } from "@parallax/agent";
import { type Clock, type Random, seededRandom } from "@parallax/core";
import type { NodeClock, Timeline } from "@parallax/testing";
import { z } from "zod";
import type { AgentSocket } from "../../src/agents/connection.ts";

/** The way into a node. */
export interface Door {
  /** Takes a new connection, or doesn't. */
  accept(socket: AgentSocket): boolean;
  /** Runs what comes in, as soon as the process does anything. */
  reach(act: () => void): void;
}

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
    void Promise.resolve().then(() => this.emit("pong"));
  }
  pong(): void {}
  pause(): void {}
  resume(): void {}
  close(code = 1000): void {
    if (this.readyState !== 1) return;
    this.readyState = 3;
    this.#ended(code);
    void Promise.resolve().then(() => this.emit("close", code));
  }
  terminate(): void {
    this.close(1006);
  }
}

/** An agent as a simulation has it: the real one, on a connection and a clock of the simulation. */
export interface SimulatedAgent {
  readonly name: string;
  /** Its connection is gone without a word. */
  cut(): void;
  /** The process ends; a new one with the same name starts after `ms`. */
  die(ms: number): void;
  /** Its process ends, and no new one comes. */
  stop(): void;
  /** Its answers take this much longer from now on. */
  slowMs: number;
  /** The tasks that it was given, each as often as it began. */
  readonly begun: readonly string[];
}

/** What an agent is told, for whoever checks it. */
export interface AgentWitness {
  began(task: Pick<Task, "id" | "attempt">, agentId: string | undefined): void;
  acknowledged(taskId: string, outcome: "counted" | "superseded" | "unknown"): void;
}

export interface SimulatedAgentOptions {
  readonly name: string;
  readonly seed: number;
  readonly timeline: Timeline;
  /** How many of its tasks fail. Default 0. */
  readonly failing?: number;
  /** How long a task takes at most where its input does not say how long. Default 6000. */
  readonly longestMs?: number;
  /** The doors that are open now. */
  readonly doors: () => readonly Door[];
  /** Of whatever is no process. */
  readonly outside: Clock;
  readonly witness?: AgentWitness;
}

/** What an input may ask of the agents. */
const wishedSchema = z.object({
  ms: z.number().optional(),
  failing: z.number().optional(),
  disagree: z.boolean().optional(),
});

/** What an agent answers for an input on which all agree. */
export function answerTo(input: unknown): string {
  return `done ${JSON.stringify(input)}`;
}

export function startAgent(options: SimulatedAgentOptions): SimulatedAgent {
  const { name, timeline, outside, doors, witness, failing = 0, longestMs = 6000 } = options;
  const random: Random = seededRandom(options.seed);
  let clock: NodeClock = timeline.clock();
  let sockets = new Set<Pipe>();

  function start(): void {
    clock = timeline.clock();
    sockets = new Set();
    const on = clock;
    const agent = new ParallaxAgent({
      controlPlaneUrl: "http://node",
      name,
      maxConcurrentTasks: 4,
      reconnect: { maxRetries: Number.POSITIVE_INFINITY, backoff: { initial: 100, max: 1000 } },
      clock,
      random,
      transport: transportTo({ doors, random, mine: sockets, on, outside }),
    });
    agent.onTask("work", async (task, { signal }) => {
      begun.push(task.id);
      witness?.began(task, agent.agentId);
      const parsed = wishedSchema.safeParse(task.input);
      const wished = parsed.success ? parsed.data : {};
      const { ms = longestMs * random.next() ** 3 } = wished;
      await on.sleep(50 + Math.floor(ms) + simulated.slowMs, signal);
      if (random.next() < (wished.failing ?? failing)) throw new Error("it can't");
      const result = wished.disagree ? `${task.id} disagrees` : answerTo(task.input);
      return { result, confidence: 0.5 };
    });
    agent.on("result-acknowledged", ({ taskId, outcome }) => witness?.acknowledged(taskId, outcome));
    agent.start().catch(() => {});
  }

  function end(): void {
    clock.kill();
    for (const pipe of [...sockets]) pipe.terminate();
  }

  const begun: string[] = [];
  const simulated: SimulatedAgent = {
    name,
    begun,
    slowMs: 0,
    cut() {
      for (const pipe of [...sockets]) pipe.terminate();
    },
    die(ms) {
      end();
      outside.after(ms, start);
    },
    stop: end,
  };
  start();
  return simulated;
}

function transportTo(way: {
  readonly doors: () => readonly Door[];
  readonly random: Random;
  readonly mine: Set<Pipe>;
  readonly on: Clock;
  readonly outside: Clock;
}): Transport {
  const { doors, random, mine, on, outside } = way;
  return (_, listener) => {
    const open = doors();
    const door = open[Math.floor(random.next() * open.length)];
    let pipe: Pipe | undefined;
    const ended = (code: number): void => {
      if (pipe) mine.delete(pipe);
      on.after(1, () => listener.ended({ code, reason: "" }));
    };
    on.after(1, () => {
      const made = new Pipe((text) => on.after(1, () => listener.received(text)), ended);
      if (!door?.accept(made)) return ended(1006);
      pipe = made;
      mine.add(made);
      listener.opened();
    });
    return {
      send(text) {
        const to = pipe;
        if (!to || !door) return;
        outside.after(0, () =>
          door.reach(() => void (to.readyState === 1 && to.emit("message", Buffer.from(text), false))),
        );
      },
      bufferedBytes: 0,
      close: (code) => pipe?.close(code),
      terminate: () => pipe?.terminate(),
    };
  };
}
