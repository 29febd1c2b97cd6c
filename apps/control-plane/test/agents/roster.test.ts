import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capabilityKey, createRoster, type Roster } from "../../src/agents/roster.ts";

const nobody: ReadonlySet<string> = new Set();

function rosterOf(agents: Readonly<Record<string, number>>, capabilities = ["c"]): Roster {
  const roster = createRoster(() => {});
  for (const [agentId, slots] of Object.entries(agents)) roster.put({ agentId, capabilities, slots });
  return roster;
}

/** Takes an agent for each task, in order. */
function takeAll(roster: Roster, count: number, excluded = nobody): (string | undefined)[] {
  return Array.from({ length: count }, (_, index) => roster.take(`t${index}`, ["c"], excluded));
}

describe("the roster", () => {
  it("gives the free agent that was used longest ago, so that work goes round", () => {
    const roster = rosterOf({ a: 2, b: 2, c: 2 });
    expect(takeAll(roster, 6)).toEqual(["a", "b", "c", "a", "b", "c"]);
    roster.release("b", "t1");
    roster.release("a", "t0");
    expect(roster.take("t6", ["c"], nobody)).toBe("b");
    expect(roster.take("t7", ["c"], nobody)).toBe("a");
  });

  it("gives nobody beyond their slots", () => {
    expect(takeAll(rosterOf({ a: 1, b: 2 }), 4)).toEqual(["a", "b", "b", undefined]);
  });

  it("passes over who is excluded", () => {
    const roster = rosterOf({ a: 1, b: 1 });
    expect(takeAll(roster, 2, new Set(["a"]))).toEqual(["b", undefined]);
  });

  it("asks for all capabilities, in whatever order", () => {
    const roster = createRoster(() => {});
    roster.put({ agentId: "one", capabilities: ["x"], slots: 1 });
    roster.put({ agentId: "both", capabilities: ["y", "x"], slots: 2 });
    expect(roster.take("t0", ["x", "y"], nobody)).toBe("both");
    expect(roster.take("t1", ["y", "x"], nobody)).toBe("both");
    expect(roster.take("t2", ["x", "y"], nobody)).toBeUndefined();
    expect(capabilityKey(["b", "a"])).toBe(capabilityKey(["a", "b"]));
  });

  it("tells when an agent has gained a free slot, and only then", () => {
    const freed: string[] = [];
    const roster = createRoster((agentId) => freed.push(agentId));
    roster.put({ agentId: "a", capabilities: ["c"], slots: 1 });
    roster.take("t0", ["c"], nobody);
    roster.release("a", "unknown");
    expect(freed).toEqual(["a"]);
    roster.release("a", "t0");
    expect(freed).toEqual(["a", "a"]);
    roster.hold("a", "t1");
    roster.hold("a", "t2");
    roster.release("a", "t1");
    expect(freed, "one of two is still held").toEqual(["a", "a"]);
  });

  it("does not take what an agent already holds for free when it comes back", () => {
    const roster: Roster = createRoster((agentId) => {
      expect(roster.get(agentId)?.held.size).toBeLessThan(roster.get(agentId)?.slots ?? 0);
      roster.take("another", ["c"], nobody);
    });
    roster.put({ agentId: "a", capabilities: ["c"], slots: 1, holding: ["t0"] });
    expect([...(roster.get("a")?.held ?? [])]).toEqual(["t0"]);
  });

  it("keeps what an agent holds when its slots change, and holds beyond them what it has", () => {
    const roster = rosterOf({ a: 3 });
    takeAll(roster, 2);
    roster.put({ agentId: "a", capabilities: ["c"], slots: 1 });
    expect(roster.take("t9", ["c"], nobody)).toBeUndefined();
    roster.hold("a", "t10");
    expect(roster.get("a")?.held.size).toBe(3);
    expect(roster.capacity()).toEqual({ c: 0 });
  });

  it("gives nobody who has left", () => {
    const roster = rosterOf({ a: 1, b: 1 });
    takeAll(roster, 0);
    roster.take("t", ["c"], nobody);
    roster.remove("b");
    roster.remove("b");
    roster.hold("b", "t1");
    expect(roster.take("t2", ["c"], nobody)).toBeUndefined();
    expect(roster.size).toBe(1);
  });

  it("gives nobody once it was cleared, and counts anew who comes then", () => {
    const roster = rosterOf({ a: 2, b: 1 });
    roster.take("t", ["c"], nobody);
    roster.clear();
    roster.release("a", "t");
    roster.remove("b");
    expect([roster.size, roster.take("t1", ["c"], nobody), roster.capacity()]).toEqual([0, undefined, {}]);
    roster.put({ agentId: "a", capabilities: ["c"], slots: 2 });
    expect(roster.capacity()).toEqual({ c: 2 });
    expect(takeAll(roster, 3)).toEqual(["a", "a", undefined]);
  });

  it("reports free slots by set of capabilities", () => {
    const roster = rosterOf({ a: 2, b: 1 }, ["y", "x"]);
    roster.put({ agentId: "z", capabilities: ["z"], slots: 4 });
    roster.take("t", ["x"], nobody);
    expect(roster.capacity()).toEqual({ "x+y": 2, z: 4 });
  });

  it("reports what a beat has room for, however many sets there are", () => {
    const roster = createRoster(() => {});
    for (let index = 0; index < 10_000; index += 1)
      roster.put({ agentId: `a${index}`, capabilities: [`${"c".repeat(55)}${index}`], slots: 1 });
    const reported = Object.keys(roster.capacity());
    expect(reported.length).toBeGreaterThan(1000);
    expect(reported.join("").length).toBeLessThanOrEqual(65_536);
    expect(roster.take("t", [`${"c".repeat(55)}9999`], nobody), "which is no matter for its own").toBe(
      "a9999",
    );
  });

  it("never gives more than the slots that there are, and always one that is free", () => {
    const agent = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("put" as const),
        agent,
        slots: fc.integer({ min: 1, max: 3 }),
        capabilities: fc.subarray(["x", "y"], { minLength: 1 }),
      }),
      fc.record({ kind: fc.constant("hold" as const), agent, task: fc.nat(9) }),
      fc.record({
        kind: fc.constant("take" as const),
        task: fc.nat(9),
        wanted: fc.subarray(["x", "y"], { minLength: 1 }),
      }),
      fc.record({ kind: fc.constant("release" as const), agent, task: fc.nat(9) }),
      fc.record({ kind: fc.constant("remove" as const), agent }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const roster = createRoster(() => {});
        for (const each of steps) {
          if (each.kind === "put")
            roster.put({ agentId: each.agent, capabilities: each.capabilities, slots: each.slots });
          if (each.kind === "hold") roster.hold(each.agent, `t${each.task}`);
          if (each.kind === "release") roster.release(each.agent, `t${each.task}`);
          if (each.kind === "remove") roster.remove(each.agent);
          const counted: Record<string, number> = {};
          for (const { capabilities: had, held, slots } of roster.all())
            counted[capabilityKey(had)] = (counted[capabilityKey(had)] ?? 0) + Math.max(0, slots - held.size);
          expect(roster.capacity()).toEqual(counted);
          if (each.kind !== "take") continue;
          const free = [...roster.all()].filter(
            (entry) =>
              entry.held.size < entry.slots && each.wanted.every((name) => entry.capabilities.has(name)),
          );
          const taken = roster.take(`t${each.task}`, each.wanted, nobody);
          if (free.length === 0) expect(taken).toBeUndefined();
          else expect(free.map(({ agentId }) => agentId)).toContain(taken);
        }
      }),
    );
  });
});
