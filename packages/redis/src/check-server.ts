import type { RedisConnection, RedisMode } from "./connection.ts";
import { createKeySpace, type KeySpace } from "./key-space.ts";
import { defineScript } from "./script.ts";
import { parseServerInfo, type ServerInfo } from "./server-info.ts";

/** What is wrong with a server, or worth knowing. */
export type ServerFindingCode =
  | "redis_too_old"
  | "unexpected_cluster"
  | "server_is_replica"
  | "evicts_keys"
  | "memory_nearly_full"
  | "disk_fails"
  | "no_replica"
  | "replica_behind"
  | "missing_rights"
  | "no_append_only_file";

/** One finding. */
export interface ServerFinding {
  /** `error`: nothing works. `warning`: a promise is at risk. `note`: a choice that one should have made knowingly. */
  readonly severity: "error" | "warning" | "note";
  readonly code: ServerFindingCode;
  /** What is the matter, and what to do. */
  readonly message: string;
}

/** What {@link checkServer} found. */
export interface ServerFindings {
  /** The primaries that were asked, one but on Cluster. */
  readonly servers: readonly ServerInfo[];
  /** Errors first. */
  readonly findings: readonly ServerFinding[];
}

/** The oldest version that the scripts run on. */
export const oldestRedis = "6.2.0";

/** How full memory may be, as a share, and how far a replica may be behind. */
const memoryShare = 0.85;
const lagLimitBytes = 16 * 1024 * 1024;
const silenceLimitSeconds = 10;

const infoScript = defineScript({
  name: "redis.info",
  readOnly: true,
  lua: "return redis.call('INFO')",
});

/**
 * Looks at the server behind a connection; on Cluster at every primary that holds keys of the key space. It needs `INFO`
 * alone, so it works where `CONFIG` is forbidden.
 *
 * @param connection One that takes commands: `lease` or `data`.
 * @throws ParallaxError `timeout`, `redis_unavailable`, `redis_closed`, `redis_reply`
 */
export async function checkServer(
  connection: RedisConnection,
  options: {
    /** Default: prefix `parallax:`, hash tags on Cluster. */
    readonly keySpace?: KeySpace;
  } = {},
): Promise<ServerFindings> {
  const { mode } = connection;
  const { keySpace = createKeySpace({ cluster: mode === "cluster" }) } = options;
  const replies =
    mode === "cluster"
      ? await Promise.all(keysEverywhere(keySpace).map((key) => infoOf(connection, key)))
      : [String(await connection.command("INFO", []))];
  const byRunId = new Map(replies.map(parseServerInfo).map((info) => [info.runId, info]));
  const servers = [...byRunId.values()];
  const rank = { error: 0, warning: 1, note: 2 };
  const findings = servers.flatMap((server) => findingsOf(server, mode));
  return { servers, findings: findings.sort((left, right) => rank[left.severity] - rank[right.severity]) };
}

/** A key beside the coordination keys, and one of each partition. */
function keysEverywhere(keySpace: KeySpace): readonly string[] {
  const inPartitions = Array.from({ length: keySpace.partitions }, (_, partition) =>
    keySpace.partitioned(partition, "info"),
  );
  return [keySpace.leader, ...inPartitions];
}

/** A script is routed by its key, which it does not touch: so it asks the server that serves the key. */
async function infoOf(connection: RedisConnection, key: string): Promise<string> {
  const { reply } = await connection.run(infoScript, [key], []);
  return String(reply);
}

/** What there is to say about a server that is used in this mode. */
export function findingsOf(server: ServerInfo, mode: RedisMode): ServerFinding[] {
  return [...identityFindings(server, mode), ...safetyFindings(server), ...replicaFindings(server, mode)];
}

function identityFindings({ version, isCluster, role }: ServerInfo, mode: RedisMode): ServerFinding[] {
  const findings: ServerFinding[] = [];
  if (isOlder(version, oldestRedis)) {
    const message = `checking Redis: version ${version} is too old; upgrade to ${oldestRedis} or newer`;
    findings.push({ severity: "error", code: "redis_too_old", message });
  }
  if (isCluster && mode !== "cluster") {
    const message = "checking Redis: the server is part of a Cluster; name it under redis.cluster.nodes";
    findings.push({ severity: "error", code: "unexpected_cluster", message });
  }
  if (role === "replica") {
    const message =
      "checking Redis: the server is a replica and takes no writes; connect to its primary, or through Sentinel";
    findings.push({ severity: "error", code: "server_is_replica", message });
  }
  return findings;
}

function safetyFindings(server: ServerInfo): ServerFinding[] {
  const { maxmemoryPolicy, maxmemoryBytes, usedMemoryBytes, isDiskFailing, isAppendOnly } = server;
  const findings: ServerFinding[] = [];
  if (maxmemoryPolicy !== "noeviction") {
    const message = `checking Redis: maxmemory-policy ${maxmemoryPolicy} deletes records when memory is short; set it to noeviction`;
    findings.push({ severity: "warning", code: "evicts_keys", message });
  }
  if (maxmemoryBytes > 0 && usedMemoryBytes >= maxmemoryBytes * memoryShare) {
    const percent = Math.round((100 * usedMemoryBytes) / maxmemoryBytes);
    const message = `checking Redis: memory is ${percent} % full and new work is refused; raise maxmemory or shorten retention`;
    findings.push({ severity: "warning", code: "memory_nearly_full", message });
  }
  if (isDiskFailing) {
    const message = "checking Redis: its last write to disk failed; look at its log and at the disk";
    findings.push({ severity: "warning", code: "disk_fails", message });
  }
  if (!isAppendOnly) {
    const message =
      "checking Redis: there is no append-only file, so a restart loses what was acknowledged; set appendonly yes";
    findings.push({ severity: "note", code: "no_append_only_file", message });
  }
  return findings;
}

function replicaFindings({ replicas }: ServerInfo, mode: RedisMode): ServerFinding[] {
  if (mode !== "standalone" && !replicas.some(({ isOnline }) => isOnline)) {
    const message =
      "checking Redis: a primary has no replica online, and nobody takes over from it; add or mend one";
    return [{ severity: "warning", code: "no_replica", message }];
  }
  return replicas
    .filter(
      ({ isOnline, lagBytes, silentSeconds }) =>
        !isOnline || lagBytes > lagLimitBytes || silentSeconds > silenceLimitSeconds,
    )
    .map(({ address, lagBytes, silentSeconds }) => {
      const message = `checking Redis: replica ${address} is ${lagBytes} bytes behind and was silent for ${silentSeconds} s; look at it and at the network`;
      return { severity: "warning", code: "replica_behind", message };
    });
}

function isOlder(version: string, than: string): boolean {
  const parts = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, wanted] of than.split(".").map(Number).entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}
