import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import type { Logger } from "@parallax/core";
import { allOperations, drainRequestSchema, electRequestSchema, errorBodySchema } from "@parallax/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNode, type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Got {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"];
const names = [
  "wait",
  "limit",
  "cursor",
  "status",
  "node",
  "pattern",
  "topics",
  "capability",
  "__proto__",
  "x",
];
const values = fc.oneof(
  fc.constantFrom(
    "0ms",
    "1",
    "-1",
    "1e9",
    "NaN",
    "completed",
    "execution",
    "exec_1",
    "one",
    "node-0",
    "W10",
    "",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);
/** What a header may carry at all. */
const headerText = fc.string({ unit: fc.constantFrom(..."aZ09 ~!\"'%&,;=:/\\{}[]<>ÿé\t"), maxLength: 60 });

const segment = fc.oneof(
  fc.constantFrom(
    "exec_1",
    "agent_1",
    "one",
    "..",
    ".",
    "%2e%2e%2f",
    "%00",
    "%",
    "%ff",
    "__proto__",
    "start.js",
  ),
  fc.string({ unit: "binary", maxLength: 30 }).map(encodeURIComponent),
);
const path = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...allOperations.map((operation) => operation.path)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("/", "//", "/api", "/ha", "/api/", "/docs/", "/..", "/%2e%2e/etc"),
  },
  { weight: 1, arbitrary: fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`) },
);
const query = fc
  .array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 3 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&"));

/** Something that is nearly right. */
const almost = fc.record(
  {
    pattern: fc.oneof(fc.constant("one"), fc.jsonValue()),
    input: fc.jsonValue({ maxDepth: 6 }),
    options: fc.oneof(fc.record({ timeout: fc.jsonValue(), retries: fc.jsonValue() }), fc.jsonValue()),
    capabilities: fc.oneof(fc.constant(["work"]), fc.jsonValue()),
    agents: fc.oneof(fc.record({ min: fc.integer(), max: fc.integer() }), fc.jsonValue()),
    aggregate: fc.oneof(
      fc.record({
        strategy: fc.constantFrom("majority", "quorum", "function", "mean"),
        quorum: fc.integer(),
      }),
      fc.jsonValue(),
    ),
    inputSchema: fc.oneof(
      fc.constant({ $ref: "#/nowhere" }),
      fc.constant({ pattern: "(a+)+$" }),
      fc.object(),
    ),
    timeout: fc.jsonValue(),
    force: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  { weight: 4, arbitrary: almost.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "{", "null", '{"__proto__":{"a":1}}', `{"a":${"[".repeat(3000)}`),
  },
);
const headers = fc.record(
  {
    "Content-Type": fc.oneof(fc.constant("application/json"), headerText),
    "Idempotency-Key": headerText,
    "Last-Event-ID": fc.oneof(
      fc.constantFrom("0", "-1", "1e400", "W10", "eyJleGVjdXRpb24iOiJ4In0"),
      headerText,
    ),
    Authorization: headerText,
    "X-Request-Id": headerText,
    Accept: headerText,
    "Accept-Encoding": headerText,
  },
  { requiredKeys: [] },
);

const sent: fc.Arbitrary<Sent> = fc
  .record({
    method: fc.constantFrom(...methods),
    path,
    parts: fc.array(segment, { minLength: 2 }),
    query,
    headers,
    body,
  })
  .map(({ parts, query: search, path: template, ...rest }) => {
    const filled = template.replace(/\{\w+\}/g, () => parts.pop() ?? "x");
    return { ...rest, path: search === "" ? filled : `${filled}?${search}` };
  })
  .filter(isHarmless);

/** What would rightly end the only node, or its term, is no subject here. */
function isHarmless({ method, path: target, body: text }: Sent): boolean {
  if (method !== "POST" || !/^\/ha\/(?:drain|elect)/.test(target)) return true;
  try {
    const value: unknown = text.trim() === "" ? {} : JSON.parse(text);
    return !drainRequestSchema.safeParse(value).success && !electRequestSchema.safeParse(value).success;
  } catch {
    return true;
  }
}

describe("any request at all", () => {
  let nodes: LocalNodes;
  let node: LocalNode;
  const failures: unknown[] = [];
  const connections = new Agent({ keepAlive: true });

  beforeAll(async () => {
    const logger: Logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (message, fields) => void failures.push([message, fields]),
      child: () => logger,
    };
    nodes = await startNodes(0);
    node = await nodes.start("node-0", {}, logger);
    await nodes.client(0).patterns.put(workPattern("one"));
    await nodes.agent({ at: 0, slots: 10, handler: async ({ input }) => ({ result: input }) });
  });
  afterAll(async () => {
    connections.destroy();
    await nodes.stop();
  });

  async function send({ method, path: target, headers: fields, body: text }: Sent): Promise<Got> {
    const { hostname, port } = new URL(node.url);
    const hasBody = method !== "GET" && method !== "HEAD" && method !== "TRACE" && method !== "OPTIONS";
    const length = hasBody ? { "Content-Length": String(Buffer.byteLength(text)) } : {};
    const outgoing = request({
      agent: connections,
      hostname,
      port,
      method,
      path: target,
      headers: { ...fields, ...length },
    });
    outgoing.end(hasBody ? text : undefined);
    const [response]: IncomingMessage[] = await once(outgoing, "response");
    const type = response?.headers["content-type"] ?? "";
    let received = "";
    // A stream of events has no end: that it begins is enough.
    if (type.startsWith("text/event-stream")) response?.destroy();
    else for await (const chunk of response ?? []) received += String(chunk);
    return { status: response?.statusCode ?? 0, type, text: received };
  }

  it("is answered with what the API has for it, never with a failure of its own, and harms nobody else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 6 }), async (requests) => {
        const other = nodes.client(0).executions.run({ pattern: "one", input: "unharmed" });
        const answers = await Promise.all(requests.map(send));
        for (const [index, { status, type, text }] of answers.entries()) {
          expect(status, text).not.toBe(500);
          expect(text).not.toMatch(/\n\s+at |node_modules|\.ts:\d/);
          const isBare = requests[index]?.method === "HEAD" || type.includes("health+json");
          if (status >= 400 && !isBare)
            expect(errorBodySchema.safeParse(JSON.parse(text)).success).toBe(true);
        }
        expect(await other).toMatchObject({ status: "completed", result: "unharmed" });
        expect(failures).toEqual([]);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });
});
