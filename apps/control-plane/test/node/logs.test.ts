import { eventually } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { keepingLogger, type LogLine } from "../support/log-lines.ts";
import { call } from "../support/requests.ts";

/** What somebody reads who was not there. */
describe("the log of a node", () => {
  let nodes: LocalNodes;
  let url: string;
  const { logger, lines } = keepingLogger();
  const found = (message: string, about: Record<string, unknown> = {}): readonly LogLine[] =>
    lines.filter(
      (line) =>
        line.message === message &&
        Object.entries(about).every(([name, value]) => line.fields[name] === value),
    );

  beforeAll(async () => {
    nodes = await startNodes(1);
    ({ url } = await nodes.start("node-log", {}, logger));
  });
  afterAll(() => nodes.stop());

  it("has one line for each request, with its id and the execution's", async () => {
    await nodes.client(1).patterns.put(workPattern("one"));
    await nodes.agent({ at: 1, handler: async () => ({ result: 1 }) });
    const headers = { "X-Request-Id": "req_of_mine" };
    const body = { pattern: "one", input: 1 };
    const { body: execution } = await call(`${url}/api/executions`, { body, headers });
    const { id } = Object(execution);
    await call(`${url}/api/executions/${id}`, { headers: { "X-Request-Id": "req_to_look" } });
    await call(`${url}/health/live`, { headers: { "X-Request-Id": "req_probe" } });

    const [submitted] = found("request", { requestId: "req_of_mine" });
    expect(submitted).toMatchObject({
      level: "debug",
      fields: { method: "POST", status: 202, execution: id },
    });
    expect(found("request", { requestId: "req_to_look" })).toMatchObject([{ fields: { execution: id } }]);
    expect(found("request", { requestId: "req_probe" })).toMatchObject([{ level: "debug" }]);
    expect(found("request", { path: "/api/patterns/one" })).toMatchObject([{ level: "info" }]);
  });

  it("has one line for each transition of a member and of the leadership", async () => {
    const third = await nodes.start("node-third");
    await eventually(() => found("membership: joined", { member: "node-third" }).length === 1);
    await third.stop();
    await eventually(() => found("membership: left", { member: "node-third" }).length === 1);
    const versions = lines
      .filter(({ fields }) => fields.member === "node-third")
      .map(({ fields }) => fields.version);
    expect(new Set(versions).size, "one line each").toBe(versions.length);

    // Whoever leads now gives way to the node that is looked at, and takes over from it again.
    await eventually(async () => (await nodes.client().haStatus()).members.some((m) => m.role === "leader"));
    const isLeading = (): boolean => found("elected").length > found("the term ends").length;
    if (!isLeading()) await nodes.client().stepDown();
    await eventually(isLeading);
    const { oldLeader, newLeader } = await nodes.client().stepDown();
    expect([oldLeader, newLeader]).toEqual(["node-log", "node-0"]);
    await eventually(() => found("another node leads", { leader: "node-0" }).length > 0);

    const terms = found("elected").map(({ fields }) => fields.term);
    expect(new Set(terms).size).toBe(terms.length);
    expect(found("the term ends").map(({ fields }) => fields.term)).toEqual(terms);
    const others = found("another node leads").map(({ fields }) => fields.term);
    expect(new Set(others).size).toBe(others.length);
    const transitions = [
      "elected",
      "the term ends",
      "another node leads",
      "membership: joined",
      "membership: left",
    ];
    const told = lines.filter(({ message }) => transitions.includes(message));
    expect(told.every(({ level }) => level === "info")).toBe(true);
  });
});
