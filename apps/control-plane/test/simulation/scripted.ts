import { seededRandom } from "@parallax/core";
import type { PatternDefinition } from "@parallax/protocol";
import { createTimeline, type Timeline } from "@parallax/testing";
import { type ExecutionRecord, isFinal } from "../../src/executions/record.ts";
import type { NodeParts } from "../../src/node/assemble.ts";
import type { Settings } from "../support/local-nodes.ts";
import { type SimulatedAgent, startAgent } from "./agents.ts";
import { createPlace, createSharedStore, type Place } from "./cluster.ts";

/** A whole cluster on a virtual clock, to which a test does what it wants to see survived. */
export interface ScriptedCluster {
  readonly timeline: Timeline;
  readonly store: ReturnType<typeof createSharedStore>;
  readonly places: readonly Place[];
  readonly agents: readonly SimulatedAgent[];
  place(index: number): Place;
  node(index: number): NodeParts;
  /** The place whose process owns it. */
  ownerOf(id: string): Promise<Place>;
  put(pattern: Partial<PatternDefinition> & { readonly name: string }): Promise<void>;
  /** Submits at a node, and lets time pass until it is accepted. */
  submit(at: number, pattern: string, input?: unknown, idempotencyKey?: string): Promise<string>;
  /** As the store has it, whichever node is asked. */
  read(id: string): Promise<ExecutionRecord>;
  until(what: string, condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  ended(id: string, limitMs?: number): Promise<ExecutionRecord>;
}

export async function scriptedCluster(options: {
  readonly nodes: number;
  readonly agents: number;
  /** How long a task takes at most, in ms. */
  readonly taskMs?: number;
  readonly settings?: Settings;
}): Promise<ScriptedCluster> {
  const random = seededRandom(7);
  const timeline = createTimeline();
  const outside = timeline.clock();
  const store = createSharedStore(timeline, random);
  const places = Array.from({ length: options.nodes }, (_, index) =>
    createPlace({
      id: `node-${index}`,
      ...{
        timeline,
        random,
        store,
        network: { clock: outside, random, messageDelayMs: () => 0, lineage: 0 },
      },
      ...(options.settings ? { settings: options.settings } : {}),
    }),
  );
  const doors = () => places.flatMap((place) => place.door ?? []);
  for (const place of places) place.start();

  async function until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    limitMs = 60_000,
  ): Promise<void> {
    const limit = timeline.nowMs + limitMs;
    while (!(await condition())) {
      if (timeline.nowMs > limit)
        throw new Error(`${what} did not come within ${limitMs} ms of virtual time`);
      await timeline.advance(50);
    }
  }

  function node(index: number): NodeParts {
    const found = places[index]?.node;
    if (!found) throw new Error(`node ${index} does not run`);
    return found;
  }

  function read(id: string): Promise<ExecutionRecord> {
    const alive = places.find((place) => place.node)?.node;
    if (!alive) throw new Error("no node runs");
    return alive.collections.executions.get(id).then((stored) => {
      if (!stored) throw new Error(`there is no ${id}`);
      return stored.value;
    });
  }

  const isUp = (): boolean => places.some((place) => place.node !== undefined);

  await until("every node being ready", () =>
    places.every((place) => place.node?.health.snapshot().state === "ready"),
  );
  const longestMs = options.taskMs ?? 500;
  const agents = Array.from({ length: options.agents }, (_, index) =>
    startAgent({ name: `agent-${index}`, seed: index, timeline, outside, doors, longestMs }),
  );
  await until(
    "every agent being connected",
    () => places.reduce((sum, place) => sum + (place.node?.work.hub.size ?? 0), 0) === options.agents,
  );
  return {
    ...{ timeline, store, places, agents, node, read, until },
    place(index) {
      const place = places[index];
      if (!place) throw new Error(`there is no place ${index}`);
      return place;
    },
    async ownerOf(id) {
      const { owner } = await read(id);
      const place = places.find((one) => one.node?.work.peers.self().owner === owner);
      if (!place) throw new Error(`nobody owns ${id}`);
      return place;
    },
    async put(pattern) {
      const defaults = { capabilities: ["work"], agents: { min: 1, max: 1 }, retries: 0 };
      const putting = node(0).work.patterns.put({ ...defaults, aggregate: { strategy: "all" }, ...pattern });
      await timeline.advance(100);
      await putting;
    },
    async submit(at, pattern, input = "in", idempotencyKey?: string) {
      const request = { pattern, input, options: {} };
      const submitting = node(at).work.catalog.submit({ request, caller: "c", idempotencyKey });
      await timeline.advance(10);
      return (await submitting).execution.id;
    },
    async ended(id, limitMs) {
      await until(`the end of ${id}`, async () => isUp() && isFinal((await read(id)).status), limitMs);
      return read(id);
    },
  };
}
