import type { RedisFixture } from "./redis-server.ts";

/** A slot on its way from one node to another: while it is, some keys answer `ASK` and others `TRYAGAIN`. */
export interface SlotMove {
  readonly slot: number;
  readonly from: RedisFixture;
  readonly to: RedisFixture;
  /** Moves keys; default: all that are left. */
  moveKeys(keys?: readonly string[]): Promise<void>;
  /** Tells all nodes who owns the slot from now on, and waits until they say so. */
  finish(): Promise<void>;
}

interface SlotMoveOptions {
  readonly slot: number;
  readonly from: RedisFixture;
  readonly to: RedisFixture;
  /** All living nodes. */
  readonly nodes: readonly RedisFixture[];
  /** Resolves once all living nodes know what has become of the slots. */
  settled(): Promise<void>;
}

/** How many keys travel together. */
const batchSize = 100;
const migrateTimeoutMs = 5000;

/** Begins to move a slot the way `redis-cli --cluster reshard` does. */
export async function beginSlotMove(options: SlotMoveOptions): Promise<SlotMove> {
  const { slot, from, to, nodes, settled } = options;
  const [fromId, toId] = await Promise.all(
    [from, to].map(async (node) => String(await node.send("CLUSTER", "MYID"))),
  );
  await to.send("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId ?? "");
  await from.send("CLUSTER", "SETSLOT", slot, "MIGRATING", toId ?? "");

  const migrate = async (keys: readonly string[]): Promise<void> => {
    await from.send("MIGRATE", "127.0.0.1", to.port, "", 0, migrateTimeoutMs, "KEYS", ...keys);
  };
  return {
    slot,
    from,
    to,
    async moveKeys(keys) {
      if (keys) return migrate(keys);
      for (;;) {
        const left: unknown = await from.send("CLUSTER", "GETKEYSINSLOT", slot, batchSize);
        if (!Array.isArray(left) || left.length === 0) return;
        await migrate(left.map(String));
      }
    },
    async finish() {
      // The new owner first: nobody must be sent away from the old one to a node that does not own the slot yet.
      const rest = nodes.filter((node) => node !== to && node !== from);
      await to.send("CLUSTER", "SETSLOT", slot, "NODE", toId ?? "");
      await from.send("CLUSTER", "SETSLOT", slot, "NODE", toId ?? "");
      // Replicas refuse, and learn it from their primaries.
      await Promise.all(
        rest.map((node) => node.send("CLUSTER", "SETSLOT", slot, "NODE", toId ?? "").catch(() => {})),
      );
      // A primary that takes a slot raises its epoch above all that it knows of. Where somebody has not yet heard of this move,
      // or of its epoch, the next one can leave two primaries that name each other as the owner, for ever (Redis 7.0).
      await settled();
    },
  };
}
