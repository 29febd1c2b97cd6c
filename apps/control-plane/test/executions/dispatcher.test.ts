import { describe, expect, it } from "vitest";
import { createRoster, type Roster } from "../../src/agents/roster.ts";
import { createDispatcher, type Dispatcher } from "../../src/executions/dispatcher.ts";

interface Floor {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  /** `task=agent` in the order of the grants. */
  readonly granted: string[];
  ask(
    taskId: string,
    options?: { readonly capabilities?: readonly string[]; readonly excluded?: readonly string[] },
  ): { readonly queued: boolean; readonly withdraw: () => void };
  join(agentId: string, slots?: number, capabilities?: readonly string[]): void;
}

function floor(limit = 1000): Floor {
  const granted: string[] = [];
  const dispatcher: Dispatcher = createDispatcher({ roster: () => roster, limit });
  const roster = createRoster((agentId) => dispatcher.onFree(agentId));
  return {
    roster,
    dispatcher,
    granted,
    ask: (taskId, { capabilities = ["c"], excluded = [] } = {}) =>
      dispatcher.request({
        taskId,
        capabilities,
        excluded: () => new Set(excluded),
        onGranted: (agentId) => granted.push(`${taskId}=${agentId}`),
      }),
    join: (agentId, slots = 1, capabilities = ["c"]) => roster.put({ agentId, capabilities, slots }),
  };
}

describe("the dispatcher", () => {
  it("grants at once where an agent is free", () => {
    const { ask, join, granted, dispatcher } = floor();
    join("a");
    expect(ask("t0").queued).toBe(true);
    expect(granted).toEqual(["t0=a"]);
    expect(dispatcher.waiting).toBe(0);
  });

  it("serves waiting tasks in the order in which they asked, whoever asked", () => {
    const { ask, join, granted, roster } = floor();
    for (const task of ["t0", "t1", "t2"]) ask(task);
    join("a", 2);
    expect(granted).toEqual(["t0=a", "t1=a"]);
    roster.release("a", "t0");
    expect(granted).toEqual(["t0=a", "t1=a", "t2=a"]);
  });

  it("serves by arrival across sets of capabilities", () => {
    const { ask, join, granted } = floor();
    ask("x0", { capabilities: ["x"] });
    ask("y0", { capabilities: ["y"] });
    ask("x1", { capabilities: ["x"] });
    ask("z0", { capabilities: ["z"] });
    join("a", 3, ["x", "y"]);
    expect(granted).toEqual(["x0=a", "y0=a", "x1=a"]);
  });

  it("passes over a task that the agent is excluded from, and comes back to it for another agent", () => {
    const { ask, join, granted } = floor();
    ask("t0", { excluded: ["a"] });
    ask("t1");
    join("a", 2);
    expect(granted).toEqual(["t1=a"]);
    join("b");
    expect(granted).toEqual(["t1=a", "t0=b"]);
  });

  it("asks anew each time whom a task excludes", () => {
    const { dispatcher, join, granted } = floor();
    const excluded = new Set(["a"]);
    dispatcher.request({
      taskId: "t0",
      capabilities: ["c"],
      excluded: () => excluded,
      onGranted: (agentId) => granted.push(agentId),
    });
    join("a");
    expect(granted).toEqual([]);
    excluded.clear();
    dispatcher.onFree("a");
    expect(granted).toEqual(["a"]);
  });

  it("does not grant what was withdrawn", () => {
    const { ask, join, granted, dispatcher } = floor();
    const { withdraw } = ask("t0");
    ask("t1");
    withdraw();
    withdraw();
    expect(dispatcher.waiting).toBe(1);
    join("a");
    expect(granted).toEqual(["t1=a"]);
  });

  it("bounds the line: what does not fit is told so, and nothing that waits is lost (S7)", () => {
    const { ask, join, granted } = floor(2);
    expect(["t0", "t1", "t2"].map((task) => ask(task).queued)).toEqual([true, true, false]);
    join("a", 5);
    expect(granted).toEqual(["t0=a", "t1=a"]);
    expect(ask("t2").queued, "an agent is free, so no place in the line is needed").toBe(true);
    expect(granted).toEqual(["t0=a", "t1=a", "t2=a"]);
  });

  it("finds the task behind a very large execution whose agents are all excluded", () => {
    const { ask, join, granted } = floor();
    for (let index = 0; index < 900; index += 1) ask(`big${index}`, { excluded: ["a"] });
    ask("small");
    join("a", 2);
    expect(granted).toEqual(["small=a"]);
  });

  it("asks again, every so often, the tasks that it passes over", () => {
    const excluded = new Set(["a"]);
    const { dispatcher, ask, join, granted } = floor();
    for (let index = 0; index < 200; index += 1) ask(`big${index}`, { excluded: ["a"] });
    dispatcher.request({
      taskId: "late",
      capabilities: ["c"],
      excluded: () => excluded,
      onGranted: (agentId) => granted.push(`late=${agentId}`),
    });
    join("a");
    expect(granted).toEqual([]);
    excluded.clear();
    for (let looks = 0; looks < 65; looks += 1) dispatcher.onFree("a");
    expect(granted).toEqual(["late=a"]);
  });

  it("shares agents evenly between tasks that come in bulk and tasks that come one by one", () => {
    const { ask, granted, join, roster } = floor();
    for (let index = 0; index < 50; index += 1) ask(`bulk${index}`);
    for (let index = 0; index < 5; index += 1) ask(`one${index}`);
    join("a", 1);
    for (let done = 0; done < 54; done += 1) roster.release("a", granted.at(-1)?.split("=")[0] ?? "");
    expect(granted.map((grant) => grant.split("=")[0])).toEqual([
      ...Array.from({ length: 50 }, (_, index) => `bulk${index}`),
      ...Array.from({ length: 5 }, (_, index) => `one${index}`),
    ]);
  });
});
