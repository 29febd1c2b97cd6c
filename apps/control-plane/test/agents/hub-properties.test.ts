import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FakeSocket } from "../support/fake-socket.ts";
import { agentOf, hubFixture, resuming, taskFrame } from "../support/hub-fixture.ts";
import { hello } from "../support/sockets.ts";

const taskId = fc.constantFrom("exec_1:0", "exec_1:1", "exec_1:2");
const attempt = fc.constantFrom(1, 2);
const held = fc.record({ taskId, executionId: fc.constant("exec_1"), attempt });
const error = fc.constant({ code: "c", message: "m", retryable: true });

/** Whatever an agent may say, right or wrong. */
const saying = fc.oneof(
  fc.record({ type: fc.constantFrom("accept", "progress"), taskId, attempt }),
  fc.record({ type: fc.constant("refuse"), taskId, attempt, reason: fc.constant("busy") }),
  fc.record({
    type: fc.constant("result"),
    taskId,
    executionId: fc.constant("exec_1"),
    attempt,
    result: fc.json(),
  }),
  fc.record({ type: fc.constant("failure"), taskId, executionId: fc.constant("exec_1"), attempt, error }),
  fc.record({
    type: fc.constant("status"),
    maxConcurrentTasks: fc.constantFrom(0, 1, 3),
    draining: fc.boolean(),
  }),
  fc.record({ holding: fc.array(held, { maxLength: 3 }), owed: fc.array(taskId) }).map(hello),
  fc.constant({ type: "goodbye" }),
  fc.string(),
  fc.jsonValue().map((value) => ({ type: value })),
);

/** What happens: an agent says something, gets a task, is lost, or comes back. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("says" as const), frame: saying }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("task" as const), taskId, attempt }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lost" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("back" as const),
      holding: fc.array(held, { maxLength: 3 }),
      owed: fc.array(taskId),
    }),
  },
);

describe("whatever agents say", () => {
  it("nothing is reported of a task but what the agent was given, and no place is counted twice", async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(0, 1), step), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const node = hubFixture();
        // Only what was given is wanted, as the records have it.
        const given = new Set<string>();
        node.standing = (agentId, id) => (given.has(`${agentId} ${id}`) ? "wanted" : "superseded");
        const agents: FakeSocket[] = [await node.connect(), await node.connect()];
        const connections = [1, 1];
        for (const [index, what] of all) {
          const agent = agents[index];
          if (!agent) continue;
          const id = agentOf(agent);
          const before = node.reported.length;
          if (what.kind === "says" && agent.readyState === 1) agent.says(what.frame);
          if (what.kind === "task" && node.hub.send(id, taskFrame(what.taskId, what.attempt)))
            given.add(`${id} ${what.taskId}`);
          if (what.kind === "lost") agent.end();
          if (what.kind === "back") {
            const connection = (connections[index] ?? 0) + 1;
            connections[index] = connection;
            const { holding, owed } = what;
            const changes = { ...Object(resuming(agent, connection)), holding, owed };
            const again = await node.connect(changes);
            // A goodbye ended the session; the token still proves whose it was.
            agents[index] = again.of("welcome").length > 0 ? again : agent;
          }
          await node.clock.settle();
          for (const report of node.reported.slice(before)) {
            const [, reportedId] = report.split(" ");
            expect(given, report).toContain(`${id} ${reportedId}`);
          }
          for (const { held: tasks } of node.roster.all()) expect(tasks.size).toBeLessThanOrEqual(3);
        }
        await node.close();
      }),
      { numRuns: 150 },
    );
  });
});
