/** What `INFO` says, as far as it is looked at. Managed Redis, which forbids `CONFIG`, answers it too. */
export interface ServerInfo {
  /** As `7.0.15`. */
  readonly version: string;
  /** Changes with each start of the server. */
  readonly runId: string;
  readonly role: "primary" | "replica";
  readonly isCluster: boolean;
  /** What happens when memory runs out: `noeviction`, or the name of a policy that deletes keys. */
  readonly maxmemoryPolicy: string;
  /** 0: no limit. */
  readonly maxmemoryBytes: number;
  readonly usedMemoryBytes: number;
  /** Whether each write goes to the append-only file. Whether snapshots are configured, `INFO` does not say. */
  readonly isAppendOnly: boolean;
  /** Whether the last write to disk failed: Redis refuses writes then, unless it is told otherwise. */
  readonly isDiskFailing: boolean;
  readonly replicas: readonly ReplicaInfo[];
}

/** A replica, as its primary sees it. */
export interface ReplicaInfo {
  readonly address: string;
  readonly isOnline: boolean;
  /** How many bytes of writes it has not acknowledged. */
  readonly lagBytes: number;
  /** How many seconds ago it was heard of. */
  readonly silentSeconds: number;
}

/** Reads the reply of `INFO`. What it lacks is empty or 0. */
export function parseServerInfo(text: string): ServerInfo {
  const facts = pairs(text.split(/\r?\n/), ":");
  const fact = (name: string): string => facts.get(name) ?? "";
  const number = (name: string): number => Number(fact(name)) || 0;
  const isAppendOnly = fact("aof_enabled") === "1";
  return {
    version: fact("redis_version"),
    runId: fact("run_id"),
    role: fact("role") === "slave" ? "replica" : "primary",
    isCluster: fact("cluster_enabled") === "1",
    maxmemoryPolicy: fact("maxmemory_policy"),
    maxmemoryBytes: number("maxmemory"),
    usedMemoryBytes: number("used_memory"),
    isAppendOnly,
    isDiskFailing:
      fact("rdb_last_bgsave_status") === "err" || (isAppendOnly && fact("aof_last_write_status") === "err"),
    replicas: [...facts]
      .filter(([name]) => /^slave\d+$/.test(name))
      .map(([, value]) => parseReplica(value, number("master_repl_offset"))),
  };
}

/** Reads `ip=127.0.0.1,port=7001,state=online,offset=42,lag=0`. */
function parseReplica(text: string, writtenBytes: number): ReplicaInfo {
  const facts = pairs(text.split(","), "=");
  return {
    address: `${facts.get("ip")}:${facts.get("port")}`,
    isOnline: facts.get("state") === "online",
    lagBytes: Math.max(0, writtenBytes - Number(facts.get("offset") ?? 0)),
    silentSeconds: Number(facts.get("lag") ?? 0),
  };
}

function pairs(texts: readonly string[], separator: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf(separator);
    if (at > 0) found.set(text.slice(0, at), text.slice(at + 1));
  }
  return found;
}
