import { type Logger, noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { createHub, type Hub } from "../../src/agents/hub.ts";
import type { Receipt, TaskReports } from "../../src/agents/reports.ts";
import { createResumeTokens } from "../../src/agents/resume-tokens.ts";
import { createRoster, type Roster } from "../../src/agents/roster.ts";
import { createSessions, type Sessions } from "../../src/agents/sessions.ts";
import type { NodeMessage } from "../../src/node-messages.ts";
import { createStoreTime } from "../../src/store-time.ts";
import { FakeSocket } from "./fake-socket.ts";
import { openTestStore, type SharedMemory, sharedMemory, startMs } from "./records.ts";
import { hello } from "./sockets.ts";

export const graceMs = 30_000;

/** A hub on memory stores and a virtual clock, with agents that a test plays. */
export interface HubFixture {
  readonly clock: VirtualClock;
  readonly shared: SharedMemory;
  readonly hub: Hub;
  readonly roster: Roster;
  readonly sessions: Sessions;
  /** What the hub reported: `accepted exec_1:0 1`, `lost …`, `refused …`. */
  readonly reported: string[];
  /** What the hub told other nodes. */
  readonly told: { readonly to: string; readonly message: NodeMessage }[];
  /** What is answered when a result comes in. Default: it counts, at once. */
  deliver: TaskReports["deliver"];
  /** The standing of each task that an agent brings along. Default: it is wanted. */
  standing: (agentId: string, taskId: string) => Receipt | "wanted";
  /** An agent that is welcomed. */
  connect(changes?: object): Promise<FakeSocket>;
  /** A socket that has not said hello. */
  open(caller?: string): FakeSocket;
  close(): Promise<void>;
}

export function hubFixture(
  options: {
    readonly nodeId?: string;
    readonly with?: HubFixture;
    readonly draw?: () => number;
    readonly logger?: Logger;
  } = {},
): HubFixture {
  const { nodeId = "node-0", draw = () => 0.5, logger = noopLogger } = options;
  const clock = options.with?.clock ?? createVirtualClock({ startWallMs: startMs });
  const shared = options.with?.shared ?? sharedMemory(clock);
  const store = openTestStore(clock, { shared });
  const { agents, secrets } = store.collections;
  const roster = createRoster(() => {});
  const tokens = createResumeTokens({ secrets, clock, storeTime: createStoreTime(clock, startMs) });
  const owner = (): string => `${nodeId}#a`;
  const sessions = createSessions({ agents, tokens, nodeId, owner, clock, reconnectGraceMs: graceMs });
  const reported: string[] = [];
  const told: HubFixture["told"] = [];
  const hub = createHub({
    sessions,
    roster,
    nodeId,
    clock,
    random: { next: draw },
    logger,
    reconnectGraceMs: graceMs,
    maxPayloadBytes: 1_048_576,
    progress: { report: ({ taskId, value }) => void reported.push(`progress ${taskId} ${value}`) },
    tell: (to, message) => void told.push({ to, message }),
    reports: {
      accepted: (taskId, attempt) => void reported.push(`accepted ${taskId} ${attempt}`),
      lost: (taskId, attempt, refused) =>
        void reported.push(`${refused ? "refused" : "lost"} ${taskId} ${attempt}`),
      deliver: (letter) => fixture.deliver(letter),
      standings: async (agentId, held) => held.map(({ taskId }) => fixture.standing(agentId, taskId)),
    },
  });
  const fixture: HubFixture = {
    clock,
    shared,
    hub,
    roster,
    sessions,
    reported,
    told,
    deliver: async () => "counted",
    standing: () => "wanted",
    open(caller = "caller") {
      const socket = new FakeSocket();
      hub.accept(socket, caller);
      return socket;
    },
    async connect(changes = {}) {
      const socket = fixture.open();
      socket.says(hello(changes));
      await clock.settle();
      return socket;
    },
    async close() {
      hub.terminate();
      await clock.settle();
      await store.close();
    },
  };
  return fixture;
}

/** What an agent says that comes back to its session. */
export function resuming(socket: FakeSocket, connection: number, changes: object = {}): object {
  const [welcome] = socket.of("welcome");
  return {
    agentId: welcome?.agentId,
    resumeToken: welcome?.resumeToken,
    connection,
    ...changes,
  };
}

/** The agent that a socket was welcomed as. */
export function agentOf(socket: FakeSocket): string {
  const [welcome] = socket.of("welcome");
  if (!welcome) throw new Error("the agent was not welcomed");
  return welcome.agentId;
}

export function taskFrame(taskId: string, attempt = 1, input: unknown = "input") {
  return {
    type: "task" as const,
    taskId,
    executionId: taskId.split(":")[0] ?? taskId,
    attempt,
    capabilities: ["raw"],
    pattern: "p",
    input,
    deadlineMs: 60_000,
  };
}
