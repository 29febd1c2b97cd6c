import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/** What a later version might do in a place where versions meet: a file, what is there, and what would be. */
type Change = readonly [file: string, here: string, later: string];

const changes: readonly Change[] = [
  // Fields that nobody knows, in whatever is sent or stored.
  [
    "protocol/src/agent/parse-frame.ts",
    "JSON.stringify(frame)",
    "JSON.stringify({ ...frame, later: { a: [1] } })",
  ],
  [
    "event-bus/src/redis.ts",
    "JSON.stringify(message)",
    'JSON.stringify(Math.random() < 0.1 ? { type: "later", from: message.from } : { ...message, later: 1 })',
  ],
  ["event-bus/src/events.ts", "JSON.stringify(event)", "JSON.stringify({ ...event, later: 1 })"],
  [
    "membership/src/redis.ts",
    "zone, JSON.stringify(report)",
    "zone, JSON.stringify({ ...report, later: 1 })",
  ],
  [
    "state-store/src/codec.ts",
    '"string") return toJson(value,',
    '"string") return toJson(kind === "json" ? withLater(value) : value,',
  ],
  [
    "state-store/src/codec.ts",
    "function isJson(",
    `function withLater(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLater);
  if (typeof value !== "object" || value === null) return value;
  return { ...value, later: 1 };
}

function isJson(`,
  ],
  // A protocol that this version does not speak, beside the one that it does.
  [
    "control-plane/src/agents/gateway.ts",
    "offered.has(agentSubprotocol) ? agentSubprotocol",
    'offered.has("parallax.agent.v2") ? "parallax.agent.v2" : offered.has(agentSubprotocol) ? agentSubprotocol',
  ],
  ["agent/src/websocket.ts", "[agentSubprotocol]", '["parallax.agent.v2", agentSubprotocol]'],
];

/** Bundles a version as it may be one day: with what this one does not know, wherever the two meet. */
export const laterVersion: Plugin = {
  name: "later-version",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const wanted = changes.filter(([file]) => path.endsWith(`/${file}`));
      if (wanted.length === 0) return undefined;
      let contents = await readFile(path, "utf8");
      for (const [file, here, later] of wanted) {
        if (!contents.includes(here))
          throw new Error(`${file} has no ${here}: adapt bench/deploy/later-version.ts`);
        contents = contents.replace(here, () => later);
      }
      return { contents, loader: "ts" };
    });
  },
};
