import type { Config } from "./schema.ts";

/** Where Redis is, without secrets. */
export function addressOfRedis({ redis: { url, cluster, sentinel } }: Config): string {
  if (cluster) return cluster.nodes.join(", ");
  if (sentinel) return `${sentinel.master} of ${sentinel.nodes.join(", ")}`;
  return url === undefined ? "nowhere" : new URL(url).host;
}
