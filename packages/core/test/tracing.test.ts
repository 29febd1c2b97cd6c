import { type ContextManager, context, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTracing, noTracing, parseTraceparent, type TraceSpan } from "../src/index.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const parent = `00-${traceId}-${spanId}-01`;

describe("a traceparent", () => {
  it("names a trace, a span and flags", () => {
    expect(parseTraceparent(parent)).toEqual({ traceId, spanId, traceFlags: 1 });
    expect(parseTraceparent(`01-${traceId}-${spanId}-00-more`)).toEqual({ traceId, spanId, traceFlags: 0 });
  });

  it.each([
    undefined,
    "",
    "nonsense",
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
  ])("is not %s", (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe("without a provider", () => {
  it.each([
    ["no tracing", noTracing],
    ["the API alone", createTracing("test")],
  ])("%s runs what it is given, without a span", (_, tracing) => {
    expect(tracing.inSpan({ name: "work", parent }, (span) => [span, 1])).toEqual([undefined, 1]);
  });
});

describe("with a provider", () => {
  const exporter = new InMemorySpanExporter();
  const tracing = createTracing("test");
  beforeEach(() => {
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
  });
  afterEach(() => {
    trace.disable();
    exporter.reset();
  });

  it("makes a span below its parent, which ends with the work", async () => {
    let finish = (): void => {};
    let span: TraceSpan | undefined;
    const running = tracing.inSpan(
      { name: "work", kind: "consumer", parent, attributes: { a: 1 } },
      (begun) => {
        span = begun;
        return new Promise<void>((resolve) => (finish = resolve));
      },
    );
    expect(exporter.getFinishedSpans()).toEqual([]);
    span?.set({ b: true });
    finish();
    await running;
    const [made] = exporter.getFinishedSpans();
    expect(made).toMatchObject({ name: "work", attributes: { a: 1, b: true } });
    expect(made?.parentSpanContext).toMatchObject({ traceId, spanId, isRemote: true });
    expect(span?.traceparent).toBe(`00-${traceId}-${made?.spanContext().spanId}-01`);
  });

  it("records what is thrown, at once or later, and throws it on", async () => {
    const thrown = new Error("no");
    expect(() =>
      tracing.inSpan({ name: "now" }, () => {
        throw thrown;
      }),
    ).toThrow(thrown);
    await expect(tracing.inSpan({ name: "later" }, () => Promise.reject(thrown))).rejects.toBe(thrown);
    const ended = exporter.getFinishedSpans();
    expect(ended.map(({ name, status }) => [name, status.code])).toEqual([
      ["now", SpanStatusCode.ERROR],
      ["later", SpanStatusCode.ERROR],
    ]);
  });

  it("begins a new trace where there is no parent", () => {
    tracing.inSpan({ name: "root", parent: "nonsense" }, () => {});
    expect(exporter.getFinishedSpans()[0]?.parentSpanContext).toBeUndefined();
  });

  it("goes below an active span of the same trace only where it is asked to", () => {
    const active = { traceId, spanId: "aaaaaaaaaaaaaaaa", traceFlags: 1 };
    const within = trace.setSpanContext(context.active(), active);
    const manager: ContextManager = {
      active: () => within,
      with: (_, act, self, ...args) => act.call(self as never, ...args),
      bind: (_, target) => target,
      enable: () => manager,
      disable: () => manager,
    };
    context.setGlobalContextManager(manager);
    tracing.inSpan({ name: "active", parent, orActive: true }, () => {});
    tracing.inSpan({ name: "given", parent }, () => {});
    context.disable();
    const parents = exporter.getFinishedSpans().map((span) => span.parentSpanContext?.spanId);
    expect(parents).toEqual([active.spanId, spanId]);
  });
});
