import { trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { eventually } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { call } from "../support/requests.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

describe("the trace of an execution", () => {
  const exporter = new InMemorySpanExporter();
  let nodes: LocalNodes;
  let letGo: () => void;

  beforeAll(async () => {
    const processor = new SimpleSpanProcessor(exporter);
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
    nodes = await startNodes(2);
    await nodes.client(0).patterns.put(workPattern("one"));
  });
  afterAll(async () => {
    await nodes.stop();
    trace.disable();
  });

  const spans = (): readonly ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
  const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
  const find = (name: string): ReadableSpan | undefined => spans().find((span) => span.name === name);
  const nodeOf = (name: string): unknown => find(name)?.attributes["parallax.node.id"];

  it("is one over the node that took it, the agent, and the node that adopted it", async () => {
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    let seen: string | undefined;
    await nodes.agent({
      at: 1,
      async handler(task) {
        seen = task.traceparent;
        await gate;
        return { result: "done" };
      },
    });
    const { node } = nodes;
    const submitted = await call(`${node(0).url}/api/executions`, {
      body: { pattern: "one", input: 1 },
      headers: { traceparent },
    });
    expect(submitted.status).toBe(202);
    const { id } = Object(submitted.body);
    await eventually(() => seen !== undefined);
    // Its node leaves, and hands it over to the other one.
    await node(0).stop();
    letGo();
    await eventually(async () => (await nodes.client(1).executions.get(id)).status === "completed");
    await eventually(() => find("task work") && find("write completed"));

    const submit = find("submit one");
    expect(submit?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(submit?.attributes).toMatchObject({ "parallax.execution.id": id, "parallax.node.id": "node-0" });
    const ofExecution = ["write running", "dispatch one", "take result", "write completed"];
    for (const name of ofExecution) expect(find(name)?.parentSpanContext?.spanId, name).toBe(idOf(submit));
    expect(find("task work")?.parentSpanContext?.spanId).toBe(idOf(find("dispatch one")));
    expect(seen).toBe(`00-${traceId}-${idOf(find("task work"))}-01`);
    expect([nodeOf("write running"), nodeOf("dispatch one")]).toEqual(["node-0", "node-1"]);
    expect([nodeOf("take result"), nodeOf("write completed")]).toEqual(["node-1", "node-1"]);
  });
});
