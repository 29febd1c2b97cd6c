import {
  type AgentEvent,
  ParallaxAgent,
  type TaskHandler,
  type Transport,
  webSocketTransport,
} from "@parallax/agent";

/** What happened to the agents of a fleet, kept where a promise depends on it. */
export interface Ledger {
  /** Tasks whose result counted, and the agents that were told so. */
  readonly counted: Map<string, Set<number>>;
  /** Results that were acknowledged without being counted: another agent's was first, or the execution had ended. */
  superseded: number;
  /** Handlers that ended. */
  handled: number;
  /** By close code: connections that ended on a node that was told to drain, and on any other. */
  readonly closedByDrain: Map<number, number>;
  readonly closedOtherwise: Map<number, number>;
  gaveUp: number;
  errors: number;
}

export interface Fleet {
  readonly ledger: Ledger;
  /** How many are connected, by node. */
  spread(): ReadonlyMap<string, number>;
  connected(): number;
  /** Results that were not acknowledged yet. */
  owed(): number;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly count: number;
  readonly url: string | readonly string[];
  readonly capability: string;
  readonly slots: number;
  readonly handler: (index: number) => TaskHandler;
  /** Whether this node was told to drain. */
  readonly drains?: (nodeId: string) => boolean;
  readonly onEvent?: (index: number, event: AgentEvent) => void;
  /** Called at each attempt to connect. */
  readonly onAttempt?: () => void;
}

/** Starts agents in this process, as the SDK makes them, and waits until all are connected. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { count, url, capability, slots, handler, drains = () => false, onEvent, onAttempt } = options;
  const transport: Transport = (...args) => {
    onAttempt?.();
    return webSocketTransport(...args);
  };
  const ledger: Ledger = {
    counted: new Map(),
    superseded: 0,
    handled: 0,
    closedByDrain: new Map(),
    closedOtherwise: new Map(),
    gaveUp: 0,
    errors: 0,
  };
  const places: (string | undefined)[] = Array.from({ length: count }, () => undefined);

  function note(index: number, event: AgentEvent): void {
    switch (event.type) {
      case "connected":
        places[index] = event.nodeId;
        break;
      case "disconnected": {
        const from = places[index] ?? "";
        places[index] = undefined;
        const codes = drains(from) ? ledger.closedByDrain : ledger.closedOtherwise;
        codes.set(event.code, (codes.get(event.code) ?? 0) + 1);
        break;
      }
      case "result-acknowledged":
        if (event.outcome !== "counted") ledger.superseded += 1;
        else
          ledger.counted.set(
            event.taskId,
            (ledger.counted.get(event.taskId) ?? new Set<number>()).add(index),
          );
        break;
      case "gave-up":
        ledger.gaveUp += 1;
        console.log(`agent ${index}: ${event.error.message}`);
        break;
      case "error":
        ledger.errors += 1;
        console.log(`agent ${index}: ${event.error.message}`);
        break;
    }
    onEvent?.(index, event);
  }

  const agents = Array.from({ length: count }, (_, index) => {
    const agent = new ParallaxAgent({
      controlPlaneUrl: url,
      name: `agent-${index}`,
      maxConcurrentTasks: slots,
      transport,
    });
    const work = handler(index);
    agent.onTask(capability, async (task, context) => {
      try {
        return await work(task, context);
      } finally {
        ledger.handled += 1;
      }
    });
    agent.subscribe((event) => note(index, event));
    return agent;
  });
  await Promise.all(agents.map((agent) => agent.start()));

  return {
    ledger,
    spread() {
      const spread = new Map<string, number>();
      for (const place of places) if (place !== undefined) spread.set(place, (spread.get(place) ?? 0) + 1);
      return spread;
    },
    connected: () => places.filter((place) => place !== undefined).length,
    owed: () => agents.reduce((sum, agent) => sum + agent.owed, 0),
    async stop() {
      await Promise.all(agents.map((agent) => agent.stop({ timeout: 2000 })));
    },
  };
}
