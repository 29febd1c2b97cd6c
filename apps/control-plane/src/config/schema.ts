import { z } from "zod";
import { redis } from "./redis-schema.ts";
import { count, duration, flag, hostAndPort, port, relation, size, span } from "./values.ts";

/** What is left out follows from the lease. */
function leaseTimes(given: {
  readonly leaseDuration: number;
  readonly renewDeadline?: number | undefined;
  readonly retryPeriod?: number | undefined;
}) {
  const { leaseDuration: leaseDurationMs, renewDeadline, retryPeriod } = given;
  return {
    leaseDurationMs,
    renewDeadlineMs: renewDeadline ?? (leaseDurationMs * 2) / 3,
    retryPeriodMs: retryPeriod ?? (leaseDurationMs * 2) / 15,
  };
}

const leaderElection = z
  .strictObject({
    enabled: flag.default(true).describe("Whether this node may lead."),
    leaseDuration: span.default(15_000).describe("How long leadership lasts without a renewal."),
    renewDeadline: span
      .optional()
      .describe("How long the leader trusts its last renewal. Default 2/3 of leaseDuration."),
    retryPeriod: span.optional().describe("The wait between renewals. Default 2/15 of leaseDuration."),
  })
  .refine(
    ...relation<Parameters<typeof leaseTimes>[0]>({
      keys: ["renewDeadline", "leaseDuration"],
      holds: (given) => leaseTimes(given).renewDeadlineMs < given.leaseDuration,
      message: "must be shorter than leaseDuration",
    }),
  )
  .refine(
    ...relation<Parameters<typeof leaseTimes>[0]>({
      keys: ["retryPeriod", "renewDeadline", "leaseDuration"],
      holds(given) {
        const { renewDeadlineMs, retryPeriodMs } = leaseTimes(given);
        return renewDeadlineMs > 1.2 * retryPeriodMs;
      },
      message: "must be so short that renewDeadline is longer than 1.2 times retryPeriod",
    }),
  )
  .transform((given) => ({ enabled: given.enabled, ...leaseTimes(given) }));

const memberHealth = z
  .strictObject({
    checkInterval: span.default(5000).describe("The time between a node's beats."),
    timeout: span.default(3000).describe("Bounds one beat; shorter than checkInterval."),
    unhealthyThreshold: count.default(3).describe("How many missed intervals make a member unhealthy."),
    removeAfter: duration.default(600_000).describe("How long a failed member stays listed."),
  })
  .refine(
    ...relation<{ readonly timeout: number; readonly checkInterval: number }>({
      keys: ["timeout", "checkInterval"],
      holds: ({ timeout, checkInterval }) => timeout < checkInterval,
      message: "must be shorter than checkInterval",
    }),
  )
  .transform(({ checkInterval, timeout, unhealthyThreshold, removeAfter }) => ({
    checkIntervalMs: checkInterval,
    timeoutMs: timeout,
    unhealthyThreshold,
    removeAfterMs: removeAfter,
  }));

const highAvailability = z.strictObject({
  enabled: flag.default(false).describe("Whether this is one of several nodes on one Redis. Needs `redis`."),
  clusterId: z
    .string("write a text")
    .regex(/^[\w.-]{1,64}$/, "write 1 to 64 letters, digits, dots, dashes")
    .default("default")
    .describe("The cluster's name. A node of another cluster on the same keys is refused."),
  leaderElection: leaderElection.prefault({}),
  memberHealth: memberHealth.prefault({}),
  stateSync: z
    .strictObject({
      batchSize: count
        .max(1000, "write a whole number up to 1000")
        .default(128)
        .describe("How many changes or events travel to Redis together."),
    })
    .prefault({}),
});

const roles = ["api", "agent", "admin"] as const;

const server = z
  .strictObject({
    host: z
      .string()
      .min(1, "write an address")
      .optional()
      .describe("Where to listen. Default 127.0.0.1 without tokens, 0.0.0.0 with."),
    port: port.default(8080).describe("0 takes a free one."),
    drainTimeout: duration.default(30_000).describe("How long a drain may take."),
    terminationGrace: duration
      .optional()
      .describe(
        "What the platform waits between SIGTERM and SIGKILL; longer than drainTimeout. `doctor` compares them.",
      ),
    maxBody: size.default(1024 ** 2).describe("The longest request body."),
    tls: z
      .strictObject({
        cert: z
          .string("write a path")
          .min(1, "write a path")
          .describe("File of the certificate and its chain, PEM; read again when it changes."),
        key: z.string("write a path").min(1, "write a path").describe("File of its key, PEM."),
      })
      .optional()
      .describe("HTTPS and WSS instead of HTTP and WS. The certificate names what node.address names."),
    auth: z
      .strictObject({
        tokens: z
          .array(
            z.strictObject({
              token: z.string("write a text").min(8, "use 8 characters or more"),
              role: z.enum(roles, "write api, agent or admin"),
            }),
          )
          .default([])
          .describe(
            "`[{ token, role }]`; `api` runs and reads, `agent` connects agents, `admin` does everything. None: everybody may.",
          )
          .meta({ secret: true }),
      })
      .prefault({}),
  })
  .refine(
    ...relation<{ readonly drainTimeout: number; readonly terminationGrace?: number | undefined }>({
      keys: ["terminationGrace", "drainTimeout"],
      holds: ({ drainTimeout, terminationGrace }) =>
        terminationGrace === undefined || terminationGrace > drainTimeout,
      message: "must be longer than drainTimeout, or the drain is cut off; raise it, or shorten the drain",
    }),
  );

/** `parallax.config.yaml`: every key, its default and its meaning. Durations come out in milliseconds, sizes in bytes. */
export const configSchema = z
  .strictObject({
    highAvailability: highAvailability.prefault({}),
    redis: redis.prefault({}),
    node: z
      .strictObject({
        id: z
          .string("write a text")
          .regex(/^[\w.-]{1,128}$/, "write 1 to 128 letters, digits, dots, dashes")
          .optional()
          .describe("This node's id, its own among all nodes. Default: the host name."),
        address: hostAndPort
          .optional()
          .describe(
            "Where other nodes reach this one, and what `/ha/status` shows. Default: the first address that is not internal, and the port.",
          ),
        zone: z
          .string("write a text")
          .min(1, "write a name")
          .optional()
          .describe("The zone that it runs in; `doctor` wants members in several."),
      })
      .prefault({}),
    server: server.prefault({}),
    patterns: z
      .strictObject({
        directory: z
          .string()
          .min(1, "write a path")
          .default("./patterns")
          .describe("Patterns that are stored at the start, one YAML file each."),
      })
      .prefault({}),
    executions: z
      .strictObject({
        retention: span.default(86_400_000).describe("How long a finished execution is kept."),
        maxFinished: count.default(1_000_000).describe("How many finished executions are kept."),
        defaultTimeout: span.default(60_000).describe("The time limit where a pattern has none."),
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
        level: z
          .enum(["debug", "info", "warn", "error"], "write debug, info, warn or error")
          .default("info")
          .describe("`SIGUSR2` turns `debug` on and off in a running node."),
        format: z
          .enum(["json", "pretty"], "write json or pretty")
          .default("json")
          .describe("`json`, one object a line, or `pretty`, for people."),
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
