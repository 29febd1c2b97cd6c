import { accessSync, constants } from "node:fs";
import { parseDuration } from "@parallax/core";
import { z } from "zod";

const durationHint = "write a duration such as 250ms, 15s, 1m or 2h, or a number of milliseconds";

/** A duration in whole milliseconds. */
const duration = z
  .union([z.string(), z.number()], { error: durationHint })
  .transform((value, context): number => {
    try {
      return Math.round(parseDuration(value));
    } catch {
      context.issues.push({ code: "custom", message: durationHint, input: value });
      return z.NEVER;
    }
  });

const unitBytes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const sizeHint = "write a size such as 512KiB, 1MiB or 2GiB, or a number of bytes";

/** A size in bytes. */
const size = z.union([z.string(), z.int()], { error: sizeHint }).transform((value, context): number => {
  const [, amount, unit] = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(String(value).trim()) ?? [];
  const bytes = Number(amount) * unitBytes[isUnit(unit) ? unit : "B"];
  if (bytes > 0) return bytes;
  context.issues.push({ code: "custom", message: sizeHint, input: value });
  return z.NEVER;
});

function isUnit(text: string | undefined): text is keyof typeof unitBytes {
  return text !== undefined && Object.hasOwn(unitBytes, text);
}

const hostAndPort = z.string().regex(/^[^\s:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, "write host:port");
const count = z.number().int().positive();
/** Environment variables and flags are text. */
const flag = z.union([z.boolean(), z.stringbool()], { error: "write true or false" });
const portHint = "write a port from 0 to 65535";
const port = z
  .union([z.int(), z.string().regex(/^\d+$/).transform(Number)], { error: portHint })
  .pipe(z.number().min(0, portHint).max(65_535, portHint));

/** What no single value shows. */
interface Relation {
  readonly holds: boolean;
  /** Within the section that is checked. */
  readonly path: readonly string[];
  readonly message: string;
}

/** Reports the relations of a section that don't hold. Each section has its own, so that one problem hides no other. */
function holdTo<Section>(
  relationsOf: (section: Section) => readonly Relation[],
): (section: Section, context: z.RefinementCtx) => void {
  return (section, context) => {
    for (const { holds, path, message } of relationsOf(section))
      if (!holds) context.addIssue({ code: "custom", path: [...path], message });
  };
}

const leaderElection = z
  .strictObject({
    enabled: flag.default(true).describe("Whether this node may lead."),
    leaseDuration: duration.default(15_000).describe("How long leadership lasts without a renewal."),
    renewDeadline: duration
      .optional()
      .describe("How long the leader trusts its last renewal. Default 2/3 of leaseDuration."),
    retryPeriod: duration.optional().describe("The wait between renewals. Default 2/15 of leaseDuration."),
  })
  .transform(({ enabled, leaseDuration, renewDeadline, retryPeriod }) => ({
    enabled,
    leaseDurationMs: leaseDuration,
    renewDeadlineMs: renewDeadline ?? (leaseDuration * 2) / 3,
    retryPeriodMs: retryPeriod ?? (leaseDuration * 2) / 15,
  }))
  .superRefine(
    holdTo(({ leaseDurationMs, renewDeadlineMs, retryPeriodMs }) => [
      {
        holds: renewDeadlineMs < leaseDurationMs,
        path: ["renewDeadline"],
        message: "must be shorter than leaseDuration",
      },
      {
        holds: renewDeadlineMs > 1.2 * retryPeriodMs,
        path: ["retryPeriod"],
        message: "must be so short that renewDeadline is longer than 1.2 times retryPeriod",
      },
      { holds: retryPeriodMs > 0, path: ["retryPeriod"], message: "must be longer than 0" },
    ]),
  );

const memberHealth = z
  .strictObject({
    checkInterval: duration.default(5000).describe("The time between a node's beats."),
    timeout: duration.default(3000).describe("Bounds one beat; shorter than checkInterval."),
    unhealthyThreshold: count.default(3).describe("How many missed intervals make a member unhealthy."),
    removeAfter: duration.default(600_000).describe("How long a failed member stays listed."),
  })
  .transform(({ checkInterval, timeout, unhealthyThreshold, removeAfter }) => ({
    checkIntervalMs: checkInterval,
    timeoutMs: timeout,
    unhealthyThreshold,
    removeAfterMs: removeAfter,
  }))
  .superRefine(
    holdTo(({ timeoutMs, checkIntervalMs }) => [
      {
        holds: timeoutMs < checkIntervalMs,
        path: ["timeout"],
        message: "must be shorter than checkInterval",
      },
    ]),
  );

const highAvailability = z.strictObject({
  enabled: flag.default(false).describe("Whether several nodes share one Redis. Needs redis."),
  clusterId: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "write 1 to 64 letters, digits, dots, dashes")
    .default("default"),
  leaderElection: leaderElection.prefault({}),
  memberHealth: memberHealth.prefault({}),
  stateSync: z.strictObject({ batchSize: count.max(1000).default(128) }).prefault({}),
});

const pemFile = z.string().refine(isReadable, "name a PEM file that this process may read").optional();

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

const tls = z
  .strictObject({
    enabled: flag.default(true).describe("Whether to speak TLS; rediss:// in the URL does so, too."),
    caFile: pemFile.describe("The authorities that vouch for Redis. Default: those that Node trusts."),
    certFile: pemFile.describe("The certificate of this client, where Redis asks for one."),
    keyFile: pemFile.describe("The key of that certificate."),
    servername: z.string().min(1).optional().describe("The name in Redis's certificate. Default: the host."),
  })
  .superRefine(
    holdTo(({ certFile, keyFile }) => [
      {
        holds: (certFile === undefined) === (keyFile === undefined),
        path: [certFile === undefined ? "certFile" : "keyFile"],
        message: "a certificate and its key go together; name both files",
      },
    ]),
  );

const sentinel = z.strictObject({
  master: z.string().min(1),
  nodes: z.array(hostAndPort).min(1),
  username: z.string().optional().describe("The ACL user of the Sentinels themselves."),
  password: z.string().optional(),
  tls: flag.optional().describe("Whether the Sentinels speak TLS. Default: whether Redis does."),
});

const redis = z
  .strictObject({
    url: z
      .string()
      .regex(/^rediss?:\/\/.+/, "write redis://host:port or rediss://host:port")
      .optional(),
    cluster: z.strictObject({ nodes: z.array(hostAndPort).min(1) }).optional(),
    sentinel: sentinel.optional(),
    username: z.string().optional().describe("The ACL user. Default: the one in the URL."),
    password: z.string().optional(),
    tls: tls.optional(),
    keyPrefix: z
      .string()
      .regex(/^[^{}\s]*$/, "write it without braces and spaces")
      .default("parallax:"),
    outageGrace: duration
      .default(30_000)
      .describe("How long a node that can't reach Redis still counts as ready."),
    durability: z
      .strictObject({ replicas: z.number().int().min(0).optional(), timeout: duration.default(1000) })
      .prefault({}),
    partitions: count
      .max(256)
      .default(16)
      .describe("Only on Redis Cluster; fixed for the life of a cluster."),
  })
  .superRefine(
    holdTo(({ cluster, sentinel }) => [
      {
        holds: !(cluster && sentinel),
        path: ["sentinel"],
        message: "can't stand beside redis.cluster; keep the one that your Redis is",
      },
    ]),
  );

const roles = ["api", "agent", "admin"] as const;

const server = z.strictObject({
  host: z.string().min(1).optional().describe("Default 127.0.0.1 without tokens, 0.0.0.0 with."),
  port: port.default(8080),
  drainTimeout: duration.default(30_000),
  maxBody: size.default(1024 ** 2).describe("The longest request body."),
  tls: z
    .strictObject({
      cert: z
        .string()
        .min(1)
        .describe("File of the certificate and its chain, PEM; read again when it changes."),
      key: z.string().min(1).describe("File of its key, PEM."),
    })
    .optional()
    .describe("HTTPS and WSS instead of HTTP and WS. The certificate names what node.address names."),
  auth: z
    .strictObject({
      tokens: z
        .array(z.strictObject({ token: z.string().min(8, "use 8 characters or more"), role: z.enum(roles) }))
        .default([]),
    })
    .prefault({}),
});

/** `parallax.config.yaml`: every key, its default and its meaning. Durations come out in milliseconds, sizes in bytes. */
export const configSchema = z
  .strictObject({
    highAvailability: highAvailability.prefault({}),
    redis: redis.prefault({}),
    node: z
      .strictObject({
        id: z
          .string()
          .regex(/^[\w.-]{1,128}$/, "write 1 to 128 letters, digits, dots, dashes")
          .optional(),
        address: hostAndPort.optional(),
        zone: z.string().min(1).optional(),
      })
      .prefault({}),
    server: server.prefault({}),
    patterns: z.strictObject({ directory: z.string().min(1).default("./patterns") }).prefault({}),
    executions: z
      .strictObject({
        retention: duration.default(86_400_000),
        maxFinished: count.default(1_000_000),
        defaultTimeout: duration.default(60_000),
        maxOpen: count
          .default(100_000)
          .describe("How many open executions a node holds; then it answers 503."),
      })
      .prefault({}),
    agents: z
      .strictObject({
        reconnectGrace: duration
          .default(30_000)
          .describe("How long an agent may take to come back before its tasks go to others."),
        maxPayload: size.default(1024 ** 2).describe("The longest frame of an agent."),
        maxConnections: count.default(20_000).describe("How many agents one node takes."),
        maxConnectionsPerAddress: count
          .optional()
          .describe("From one address; a load balancer is one. Default: maxConnections."),
        maxConnectionsPerToken: count.optional().describe("With one token. Default: maxConnections."),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z.enum(["debug", "info", "warn", "error"]).default("info"),
        format: z.enum(["json", "pretty"]).default("json"),
      })
      .prefault({}),
  })
  .refine(({ highAvailability: ha, redis: where }) => ha?.enabled !== true || isNamed(where), {
    path: ["highAvailability", "enabled"],
    message: "needs Redis; set redis.url, redis.sentinel or redis.cluster, or PARALLAX_REDIS_URL",
    // Also when other keys are wrong: all problems are told at once.
    when: () => true,
  });

/** The configuration of a node, checked, with every default filled in. */
export type Config = z.output<typeof configSchema>;
export type Role = (typeof roles)[number];

/** Whether it says where Redis is. What was wrong in it is reported by itself. */
function isNamed(where: z.output<typeof redis> | undefined): boolean {
  return !where || where.url !== undefined || where.cluster !== undefined || where.sentinel !== undefined;
}
