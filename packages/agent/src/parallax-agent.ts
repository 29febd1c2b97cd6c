import {
  createListeners,
  createTracing,
  type Duration,
  type Listener,
  type Listeners,
  onAbort,
  ParallaxError,
  parseDuration,
  type Unsubscribe,
} from "@parallax/core";
import { capabilitySchema } from "@parallax/protocol";
import { type AgentEvent, type AgentEventOf, isEventOf } from "./agent-events.ts";
import { createEngine, type Engine } from "./engine.ts";
import type { Task, TaskAnswer, TaskContext, TaskHandler } from "./handler.ts";
import { type AgentSettings, type ParallaxAgentOptions, readOptions } from "./options.ts";

/**
 * Runs tasks for a cluster of control-plane nodes, and loses no result when a node dies.
 *
 * Guarantees, as long as this process lives: a result is sent again until a node has acknowledged it, over every reconnect
 * and on whichever node; it counts once. An agent that owes something never gives up. Non-guarantees: a handler may run more
 * than once for a task (`task.id` is its idempotency key), and what was not acknowledged when the process ends is lost; the
 * cluster then gives the task to another agent.
 *
 * @example
 * const agent = new ParallaxAgent({ controlPlaneUrl: "http://localhost:8080", name: "classifier-1" });
 * agent.onTask("classification", async (task, { signal }) => ({ result: await classify(task.input, signal), confidence: 0.9 }));
 * await agent.start();
 */
export class ParallaxAgent {
  readonly #settings: AgentSettings;
  readonly #handlers = new Map<string, TaskHandler>();
  readonly #listeners: Listeners<AgentEvent>;
  #engine: Engine | undefined;
  #stopping: Promise<void> | undefined;
  #agentId: string | undefined;

  /** @throws ParallaxError `invalid_url`, `invalid_options` */
  constructor(options: ParallaxAgentOptions) {
    this.#settings = readOptions(options);
    const { logger } = this.#settings;
    this.#listeners = createListeners((error) => logger.error("a listener of the agent failed", { error }));
    this.on("connected", ({ agentId }) => {
      this.#agentId = agentId;
    });
  }

  /** The id of the present session, once a node has given one. */
  get agentId(): string | undefined {
    return this.#agentId;
  }

  /** Whether a node has welcomed the agent and the connection holds. */
  get connected(): boolean {
    return this.#engine?.online ?? false;
  }

  /** Results and failures that no node has acknowledged yet. */
  get owed(): number {
    return this.#engine?.owed ?? 0;
  }

  /**
   * Registers what runs for tasks that ask for `capability`; the agent then has that capability. Where a pattern asks for
   * several, the first that has a handler decides.
   *
   * @throws ParallaxError `already_started`; `duplicate_handler` if the capability has one; `invalid_capability`;
   * `invalid_options` if the handler is no function.
   */
  onTask(capability: string, handler: TaskHandler): this {
    if (this.#engine) throw alreadyStarted("registering a handler", "register handlers before start()");
    if (!capabilitySchema.safeParse(capability).success) {
      const message = `registering a handler for ${JSON.stringify(capability)}: write letters, digits and . _ : / -, at most 64`;
      throw new ParallaxError("invalid_capability", message);
    }
    if (typeof handler !== "function") {
      const message = `registering a handler for ${capability}: pass a function of the task`;
      throw new ParallaxError("invalid_options", message);
    }
    if (this.#handlers.has(capability)) {
      const message = `registering a handler for ${capability}: it has one; give each capability one handler`;
      throw new ParallaxError("duplicate_handler", message);
    }
    this.#handlers.set(capability, handler);
    return this;
  }

  /** Calls `listener` with each event of a type. Returns a function that takes the listener away. */
  on<Type extends AgentEvent["type"]>(type: Type, listener: Listener<AgentEventOf<Type>>): Unsubscribe {
    return this.#listeners.subscribe((event) => (isEventOf(event, type) ? listener(event) : undefined));
  }

  /** Calls `listener` with every event. */
  subscribe(listener: Listener<AgentEvent>): Unsubscribe {
    return this.#listeners.subscribe(listener);
  }

  /**
   * Runs the handler of `task.capability` here and now, without a control plane: for tests of handlers.
   * @throws ParallaxError `no_handler`; whatever the handler throws.
   */
  async handle(
    task: Pick<Task, "capability"> & Partial<Task>,
    context: Partial<TaskContext> = {},
  ): Promise<TaskAnswer> {
    const handler = this.#handlers.get(task.capability);
    if (!handler) throw noHandler(task.capability);
    const {
      signal = new AbortController().signal,
      progress = () => {},
      log = this.#settings.logger,
    } = context;
    const id = task.id ?? "exec_local:0";
    const about = { id, executionId: id.split(":")[0] ?? id, attempt: 1, capabilities: [task.capability] };
    return handler(
      { ...about, pattern: "local", input: undefined, deadlineMs: 60_000, ...task },
      { signal, progress, log },
    );
  }

  /**
   * Connects, and keeps connecting. Resolves once a node has welcomed the agent, or `stop()` was called before.
   *
   * @throws ParallaxError `gave_up` if it gives up before that; `aborted` if `signal` aborts before, and then it has stopped;
   * `already_started`; `no_handler` if nothing was registered; `invalid_options` with more than 64 capabilities.
   */
  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#engine?.connecting)
      throw alreadyStarted("starting the agent", "call start() once, or stop() first");
    if (this.#handlers.size === 0) throw noHandler("any capability");
    if (options.signal?.aborted) throw startAborted(options.signal);
    this.#engine ??= createEngine({
      settings: this.#settings,
      handlers: this.#handlers,
      tracing: createTracing("@parallax/agent"),
      notify: (event) => this.#listeners.emit(event),
    });
    const engine = this.#engine;
    let forget: Unsubscribe = () => {};
    const welcomed = new Promise<void>((resolve) => {
      forget = this.on("connected", () => resolve());
    });
    const forgetSignal = onAbort(options.signal, () => void this.stop({ timeout: 0 }));
    try {
      await Promise.race([welcomed, engine.connect()]);
    } finally {
      forget();
      forgetSignal();
    }
    if (options.signal?.aborted) throw startAborted(options.signal);
  }

  /**
   * Stops: takes no more tasks, lets handlers finish and their results be acknowledged for up to `timeout` (default 30 s),
   * then aborts what still runs, hands it back to the cluster, and closes. Idempotent.
   *
   * @throws ParallaxError `invalid_duration`
   */
  async stop(options: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = parseDuration(options.timeout ?? 30_000);
    const engine = this.#engine;
    if (!engine) return;
    this.#stopping ??= engine.stop(timeoutMs).finally(() => {
      this.#engine = undefined;
      this.#stopping = undefined;
      this.#agentId = undefined;
    });
    await this.#stopping;
  }

  /** As `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function alreadyStarted(what: string, remedy: string): ParallaxError<"already_started"> {
  return new ParallaxError("already_started", `${what}: it has started; ${remedy}`);
}

function noHandler(capability: string): ParallaxError<"no_handler"> {
  const message = `looking for the handler of ${capability}: there is none; register one with onTask()`;
  return new ParallaxError("no_handler", message);
}

function startAborted(signal: AbortSignal): ParallaxError<"aborted"> {
  const message = "starting the agent: aborted before a node welcomed it; start it again when it is wanted";
  return new ParallaxError("aborted", message, { cause: signal.reason });
}
