import { formatDuration } from "@parallax/core";
import { z } from "zod";
import { type ConfigKey, configKeys } from "./keys.ts";
import { configSchema } from "./schema.ts";
import { formatSize } from "./settings.ts";
import { secretVariables } from "./sources.ts";

/** The JSON Schema of `parallax.config.yaml`, for editors. */
export function configJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: "input" });
  return {
    $schema,
    title: "parallax.config.yaml",
    description: "The configuration of a node of the Parallax control plane.",
    ...schema,
  };
}

const introduction = `# Configuration

<!-- Generated from the schema. To renew: npx vitest run --project control-plane test/config/reference.test.ts -u -->

A node reads \`parallax.config.yaml\`: the file that \`--config\` names, else \`PARALLAX_CONFIG\`, else the one in the working
directory. An environment variable beats the file, and a flag of \`parallax start\` beats both. Durations are \`250ms\`, \`15s\`,
\`1m\`, \`2h\` or a number of milliseconds; sizes \`512KiB\`, \`1MiB\` or a number of bytes.

\`\`\`sh
parallax config check     # everything that is wrong, each with its line and what would be right
parallax config show      # the values in force, and where each comes from
\`\`\`

Editors complete and check the file with its schema:

\`\`\`yaml
# yaml-language-server: $schema=https://raw.githubusercontent.com/parallax-ha/parallax/main/docs/parallax.config.schema.json
highAvailability:
  enabled: true
  clusterId: production
redis:
  url: redis://redis:6379
\`\`\`
`;

const rules = `
## What belongs together

- \`highAvailability.enabled: true\` needs Redis. Without it, and with no Redis, one node keeps its state in memory; with Redis its
  state survives a restart.
- \`leaseDuration > renewDeadline > 1.2 × retryPeriod\`. What is left out is 2/3 and 2/15 of \`leaseDuration\`.
- \`memberHealth.timeout < checkInterval\`. A member is unhealthy after \`unhealthyThreshold × checkInterval\` without a beat.
- \`redis.cluster\` or \`redis.sentinel\` beats a \`redis.url\` beside it, which is logged; both together are refused.
  \`PARALLAX_REDIS_URL\` replaces all three.
- \`server.terminationGrace > server.drainTimeout\`, and so has the platform's own: \`terminationGracePeriodSeconds\`,
  \`stop_grace_period\`.
- All nodes of a cluster have the same values, but for \`node\`, \`server.host\`, \`server.port\`, \`patterns\` and \`log\`. \`parallax doctor\`
  names those that differ.

## Secrets

A variable may name a file that holds its value, with \`_FILE\` behind its name: ${secretVariables.map((name) => `\`${name}_FILE\``).join(", ")}.
\`PARALLAX_API_TOKEN\` is \`role:token,role:token\`, a bare token is an admin's; in a file lines may separate them, too. Secrets
are never written to the log, shown by \`config show\`, or quoted in errors.
`;

/** The reference page of the configuration, as Markdown. */
export function renderReference(): string {
  const sections = new Map<string, ConfigKey[]>();
  for (const key of configKeys()) {
    const name = key.path.slice(0, -1).join(".");
    sections.set(name, [...(sections.get(name) ?? []), key]);
  }
  const tables = [...sections].map(([name, keys]) => renderSection(name, keys));
  return `${introduction}\n${tables.join("\n")}${rules}`;
}

function renderSection(name: string, keys: readonly ConfigKey[]): string {
  const rows = keys.map((key) => {
    const cells = [`\`${key.path.at(-1)}\``, kindOf(key), defaultOf(key), variableOf(key), key.description];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  const head = ["| key | value | default | variable | |", "|---|---|---|---|---|"];
  return [`## \`${name}\``, "", ...head, ...rows, ""].join("\n");
}

function kindOf({ kind, choices }: ConfigKey): string {
  return choices.length > 0 ? choices.map((choice) => `\`${choice}\``).join(", ") : kind;
}

function defaultOf({ default: value, kind }: ConfigKey): string {
  if (value === undefined) return "–";
  if (typeof value === "number" && kind === "duration") return `\`${formatDuration(value)}\``;
  if (typeof value === "number" && kind === "size") return `\`${formatSize(value)}\``;
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function variableOf({ variable }: ConfigKey): string {
  return variable === undefined ? "" : `\`${variable}\``;
}
