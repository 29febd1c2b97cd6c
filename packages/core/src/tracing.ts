import { createRequire } from "node:module";
import type { Attributes, Context, Span, SpanKind, Tracer } from "@opentelemetry/api";

/** A span that has begun. */
export interface TraceSpan {
  /** W3C Trace Context, `00-<trace>-<span>-<flags>`: whoever goes on elsewhere takes it for its parent. */
  readonly traceparent: string;
  /** Adds attributes that were not known at its beginning. */
  set(attributes: Readonly<Record<string, string | number | boolean>>): void;
}

/** Options of {@link Tracing.inSpan}. */
export interface SpanOptions {
  readonly name: string;
  /** Default `internal`. */
  readonly kind?: "internal" | "server" | "producer" | "consumer";
  /** The `traceparent` of the span that this one belongs to. Default: the active span, else a new trace. */
  readonly parent?: string | undefined;
  /** Whether a span that is active here, in the trace of `parent`, is the parent: an HTTP server's that read the same header. */
  readonly orActive?: boolean;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

/** Spans, where somebody collects them. */
export interface Tracing {
  /**
   * Runs `act` in a span, which ends with what it returns, or with what that resolves to; what it throws is recorded and thrown
   * on. Where nobody collects spans, it just runs, without a span.
   */
  inSpan<Result>(options: SpanOptions, act: (span: TraceSpan | undefined) => Result): Result;
}

/** Traces nothing. */
export const noTracing: Tracing = { inSpan: (_, act) => act(undefined) };

/** The ids of a `traceparent`; undefined where it is none. Source: https://www.w3.org/TR/trace-context-1/#traceparent-header */
export function parseTraceparent(
  text: string | undefined,
): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number } | undefined {
  const [, version, traceId = "", spanId = "", flags = "", rest = ""] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(text ?? "") ?? [];
  // Later versions may say more behind what the first one says.
  if (version === undefined || version === "ff" || (version === "00" && rest !== "")) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

/**
 * Spans through `@opentelemetry/api`, where that is installed and its user has registered a provider; nothing otherwise. `name`
 * is the tracer's: the package that makes the spans.
 */
export function createTracing(name: string): Tracing {
  const api = loadApi();
  if (!api) return noTracing;
  return {
    inSpan(options, act) {
      const tracer = tracerOf(api, name);
      return tracer ? runInSpan(api, tracer, options, act) : act(undefined);
    },
  };
}

type Api = typeof import("@opentelemetry/api");

/** An optional peer. All its copies in a process share what was registered. */
function loadApi(): Api | undefined {
  try {
    return createRequire(import.meta.url)("@opentelemetry/api");
  } catch {
    return undefined;
  }
}

/** Undefined where no provider is registered: then not even an empty span is made. */
function tracerOf(api: Api, name: string): Tracer | undefined {
  const provider = api.trace.getTracerProvider();
  const delegateOf = "getDelegateTracer" in provider ? provider.getDelegateTracer : undefined;
  const isEmpty = typeof delegateOf === "function" && delegateOf.call(provider, name) === undefined;
  return isEmpty ? undefined : provider.getTracer(name);
}

function runInSpan<Result>(
  api: Api,
  tracer: Tracer,
  options: SpanOptions,
  act: (span: TraceSpan | undefined) => Result,
): Result {
  const { name, kind = "internal", attributes } = options;
  const kinds: Readonly<Record<NonNullable<SpanOptions["kind"]>, SpanKind>> = {
    internal: api.SpanKind.INTERNAL,
    server: api.SpanKind.SERVER,
    producer: api.SpanKind.PRODUCER,
    consumer: api.SpanKind.CONSUMER,
  };
  const parent = parentOf(api, options);
  const about: Attributes = { ...attributes };
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes: about }, parent);
  const end = (): void => span.end();
  const fail = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: api.SpanStatusCode.ERROR, message });
    span.end();
  };
  try {
    const result = api.context.with(api.trace.setSpan(parent, span), () => act(handleOf(span)));
    if (result instanceof Promise) result.then(end, fail);
    else end();
    return result;
  } catch (error) {
    fail(error);
    throw error;
  }
}

function parentOf(api: Api, { parent, orActive = false }: SpanOptions): Context {
  const active = api.context.active();
  const ids = parseTraceparent(parent);
  if (!ids) return active;
  const isSameTrace = api.trace.getSpanContext(active)?.traceId === ids.traceId;
  if (orActive && isSameTrace) return active;
  return api.trace.setSpanContext(active, { ...ids, isRemote: true });
}

function handleOf(span: Span): TraceSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
    set: (attributes) => void span.setAttributes({ ...attributes }),
  };
}
