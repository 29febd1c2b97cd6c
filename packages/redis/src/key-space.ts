/**
 * Builds every key. On standalone Redis and Sentinel a key is the prefix and a name, and there is one partition. On Cluster
 * each key carries a hash tag: `{<prefix>ha:leader}` for coordination, the partition's tag for everything else, so that a
 * script's keys share one slot.
 */
export interface KeySpace {
  readonly prefix: string;
  /** How many partitions records are spread over: 1 but on Cluster. Fixed for the life of a cluster. */
  readonly partitions: number;
  /** The string with the leader's id. Its name is the same in every mode. */
  readonly leader: string;
  /** A coordination key: `ha:members` is `parallax:ha:members`, on Cluster `{parallax:ha:leader}:ha:members`. */
  coordination(name: string): string;
  /** The partition of a record: a stable hash of its id. */
  partitionOf(id: string): number;
  /** A key of one partition: `index:execution:status` is `parallax:index:…`, on Cluster `parallax:{p}:index:…`. */
  partitioned(partition: number, name: string): string;
  /** A channel. Channels have no slot, so their names are the same in every mode. */
  channel(name: string): string;
}

/** Options of {@link createKeySpace}. */
export interface KeySpaceOptions {
  /** Default `parallax:`. No braces. */
  readonly prefix?: string;
  /** Whether keys need hash tags. Default false. */
  readonly cluster?: boolean;
  /** How many partitions on Cluster. Default 16; ignored elsewhere. */
  readonly partitions?: number;
}
