import { hash, ParallaxError } from "@parallax/core";
import { slotCount, slotOf } from "./slot.ts";

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

/**
 * Makes a key space.
 * @throws ParallaxError `invalid_options` for a prefix with braces or spaces, or a number of partitions outside 1 to 1024.
 */
export function createKeySpace(options: KeySpaceOptions = {}): KeySpace {
  const { prefix = "parallax:", cluster = false, partitions = 16 } = options;
  if (/[{}\s]/.test(prefix)) {
    throw new ParallaxError(
      "invalid_options",
      `making a key space: write the prefix ${prefix} without braces and spaces`,
    );
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 1024) {
    throw new ParallaxError(
      "invalid_options",
      `making a key space: ${partitions} partitions are not 1 to 1024`,
    );
  }
  const leader = `${prefix}ha:leader`;
  const tags = cluster ? partitionTags(partitions) : [];
  return {
    prefix,
    partitions: cluster ? partitions : 1,
    leader,
    coordination: (name) => (cluster ? `{${leader}}:${name}` : `${prefix}${name}`),
    partitionOf: (id) => (cluster ? hash(id) % partitions : 0),
    partitioned: (partition, name) =>
      cluster ? `${prefix}{${tagOf(tags, partition)}}:${name}` : `${prefix}${name}`,
    channel: (name) => `${prefix}${name}`,
  };
}

function tagOf(tags: readonly string[], partition: number): string {
  const tag = tags[partition];
  if (tag !== undefined) return tag;
  throw new ParallaxError(
    "invalid_partition",
    `building a key: there is no partition ${partition} of ${tags.length}`,
  );
}

/**
 * A tag for each partition, such that the slots of the tags divide the slots evenly: whatever equal ranges the shards of a
 * Cluster have, none gets more than one partition more than another. `p0`, `p1`, … would by chance put several into one.
 * The tag of a partition is the first of `<partition>-0`, `<partition>-1`, … near the middle of its share.
 */
export function partitionTags(partitions: number): readonly string[] {
  const share = slotCount / partitions;
  const reach = Math.max(1, share / 64);
  return Array.from({ length: partitions }, (_, partition) => {
    const middle = (partition + 0.5) * share;
    for (let attempt = 0; ; attempt += 1) {
      const tag = `${partition}-${attempt.toString(36)}`;
      if (Math.abs(slotOf(tag) - middle) <= reach) return tag;
    }
  });
}
