import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { createRedisFixture, type RedisFixture, redisArguments } from "./redis-server.ts";

/** Options of {@link startSentinel}. */
export interface SentinelFixtureOptions {
  /** Further configuration of the servers. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
  /** How many replicas. Default 2. */
  readonly replicas?: number;
  /** How long a primary may be silent before a Sentinel holds it to be down, in milliseconds. Default 1000. */
  readonly downAfterMs?: number;
}

/** A primary, its replicas and three Sentinels, of the test's own. */
export interface SentinelFixture {
  /** What `createConnections` takes. */
  readonly where: { readonly sentinel: { readonly master: string; readonly nodes: readonly string[] } };
  /** The servers, in the order in which they were started, whatever their roles are by now. */
  readonly servers: readonly RedisFixture[];
  readonly sentinels: readonly RedisFixture[];
  /** The server that the Sentinels name as the primary. */
  primary(): Promise<RedisFixture>;
  /**
   * Makes another server the primary, and resolves with it once the Sentinels name it and it takes writes.
   * `kill`: the old one is killed, and stays so. Otherwise it hands over and becomes a replica.
   */
  failover(options?: { readonly kill?: boolean }): Promise<RedisFixture>;
  /** Resolves once the primary has as many replicas in step as there are servers alive beside it. */
  settled(replicas?: number): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const master = "mymaster";
const sentinelCount = 3;
const quorum = 2;
/** How long a Sentinel waits before it tries a fail-over again, in milliseconds. */
const failoverTimeoutMs = 5000;
const timeoutMs = 30_000;

/** Starts them, and waits until every Sentinel knows the others and every replica is in step. */
export async function startSentinel(options: SentinelFixtureOptions = {}): Promise<SentinelFixture> {
  const { config = {}, replicas = 2, downAfterMs = 1000 } = options;
  const first = await startServer(config);
  const others = await Promise.all(Array.from({ length: replicas }, () => startServer(config, first.port)));
  const servers = [first, ...others];
  const sentinels = await Promise.all(
    Array.from({ length: sentinelCount }, () => startOne(first.port, downAfterMs)),
  );
  const stop = async (): Promise<void> => {
    await Promise.all([...sentinels, ...servers].map((one) => one.stop()));
  };

  async function primary(): Promise<RedisFixture> {
    const named = await Promise.all(sentinels.map(namedBy));
    const port = named.find((candidate) => named.filter((other) => other === candidate).length >= quorum);
    const server = servers.find((candidate) => candidate.port === port);
    if (server) return server;
    throw new Error(`the Sentinels disagree about the primary: ${named.join(", ")}`);
  }

  const fixture: SentinelFixture = {
    where: { sentinel: { master, nodes: sentinels.map(({ port }) => `127.0.0.1:${port}`) } },
    servers,
    sentinels,
    primary,
    async failover({ kill = false } = {}) {
      const old = await primary();
      if (kill) await old.kill();
      else
        await eventually(() => handOver(sentinels), {
          timeoutMs,
          message: "a Sentinel to begin a fail-over",
        });
      return eventually(
        async () => {
          const now = await primary();
          return now !== old && (await roleOf(now)) === "master" && now;
        },
        { timeoutMs, message: "another server to be the primary" },
      );
    },
    settled: (expected = replicas) =>
      eventually(async () => isSettled(await primary(), sentinels, expected), {
        timeoutMs,
        message: "the replicas to be in step",
      }).then(() => {}),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  try {
    await fixture.settled();
  } catch (error) {
    await stop();
    throw error;
  }
  return fixture;
}

function startServer(
  config: Readonly<Record<string, string | readonly string[]>>,
  primaryPort?: number,
): Promise<RedisFixture> {
  return createRedisFixture((port, directory) => ({
    args: redisArguments({
      port: String(port),
      bind: "127.0.0.1",
      dir: directory,
      save: "",
      appendonly: "no",
      "repl-diskless-sync": "yes",
      "repl-diskless-sync-delay": "0",
      "repl-ping-replica-period": "1",
      ...(primaryPort === undefined ? {} : { replicaof: `127.0.0.1 ${primaryPort}` }),
      ...config,
    }),
  }));
}

/** A Sentinel. It keeps its state in its configuration file, which a restart therefore leaves alone. */
function startOne(primaryPort: number, downAfterMs: number): Promise<RedisFixture> {
  return createRedisFixture(async (port, directory) => {
    const file = join(directory, `sentinel-${port}.conf`);
    const settings = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${directory}`,
      `sentinel monitor ${master} 127.0.0.1 ${primaryPort} ${quorum}`,
      `sentinel down-after-milliseconds ${master} ${downAfterMs}`,
      `sentinel failover-timeout ${master} ${failoverTimeoutMs}`,
    ];
    await access(file).catch(() => writeFile(file, `${settings.join("\n")}\n`));
    return { args: [file, "--sentinel"] };
  });
}

async function namedBy(sentinel: RedisFixture): Promise<number> {
  const address = await sentinel.send("SENTINEL", "get-master-addr-by-name", master);
  return Array.isArray(address) ? Number(address[1]) : 0;
}

/** Whether one of the Sentinels has begun to hand over. They refuse while the last fail-over is still fresh. */
async function handOver(sentinels: readonly RedisFixture[]): Promise<boolean> {
  for (const sentinel of sentinels) {
    const answer = await sentinel.send("SENTINEL", "failover", master).catch(() => undefined);
    if (answer === "OK") return true;
  }
  return false;
}

async function roleOf(server: RedisFixture): Promise<unknown> {
  const role = await server.send("ROLE");
  return Array.isArray(role) ? role[0] : undefined;
}

async function isSettled(
  primary: RedisFixture,
  sentinels: readonly RedisFixture[],
  replicas: number,
): Promise<boolean> {
  const info = String(await primary.send("INFO", "replication"));
  const inStep = [...info.matchAll(/^slave\d+:.*state=online/gm)].length;
  if (!info.includes("role:master") || inStep < replicas) return false;
  const known = await Promise.all(sentinels.map((sentinel) => sentinel.send("SENTINEL", "MASTER", master)));
  return known.every((reply) => {
    const facts = Array.isArray(reply) ? reply.map(String) : [];
    const fact = (name: string): string | undefined => facts[facts.indexOf(name) + 1];
    const others = Number(fact("num-other-sentinels"));
    return others === sentinels.length - 1 && Number(fact("num-slaves")) >= replicas;
  });
}
