// Which package may import which, by folder name. Imports run one way:
//
//   core <- redis <- { leader-election, membership, event-bus } <- state-store
//   core <- health      protocol <- { agent, client } <- cli      apps on all, nothing on apps
//
// A package that is missing here may import nothing of the workspace.

const cluster = ["leader-election", "membership", "event-bus", "state-store"];

/** @type {Record<string, readonly string[]>} */
export const allowedImports = {
  core: [],
  redis: ["core"],
  "leader-election": ["core", "redis"],
  membership: ["core", "redis"],
  "event-bus": ["core", "redis"],
  "state-store": ["core", "redis", "leader-election", "membership", "event-bus"],
  health: ["core"],
  metrics: ["core"],
  protocol: ["core"],
  agent: ["core", "protocol"],
  client: ["core", "protocol"],
  cli: ["core", "protocol", "agent", "client"],
  testing: ["core", "redis", ...cluster],
  "control-plane": ["core", "redis", ...cluster, "health", "metrics", "protocol", "agent", "client", "cli"],
  dashboard: ["core", "protocol", "client"],
};

/** An example imports what a user would install, which is any library. */
export const exampleImports = Object.keys(allowedImports).filter(
  (name) => !["control-plane", "dashboard"].includes(name),
);

/**
 * What may be imported with `import type` only.
 *
 * @type {Record<string, readonly string[]>}
 */
export const allowedTypeImports = {
  metrics: [...cluster, "health"],
};

/**
 * Whose values only the files of a Redis backend may import, in each package that has one: they load `ioredis`, which users
 * of the embedded backends need not install.
 */
export const redisBackend = { packages: cluster, files: /\/src\/redis[^/]*(\/|\.ts$)/ };

/**
 * Third-party modules whose values only some packages may import; types may be imported anywhere, and examples may
 * import all that a user would install. A backend takes a Redis client that its caller made, so that it works with
 * whichever one the caller has installed.
 *
 * @type {Record<string, readonly string[]>}
 */
export const valueImports = {
  ioredis: ["redis", "testing", "control-plane"],
  vitest: ["testing"],
  "fast-check": ["testing"],
};
