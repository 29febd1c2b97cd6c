import type { Collection, StateStore, Stored } from "@parallax/state-store";
import { z } from "zod";

/** How a feature is switched. */
export type Setting = {
  readonly state: "on" | "off";
  /** Share of the users who get it, 0 to 100. */
  readonly percent: number;
  readonly changedBy: string;
};

const schema: z.ZodType<Setting> = z.object({
  state: z.enum(["on", "off"]),
  percent: z.int().min(0).max(100),
  changedBy: z.string(),
});

/** The settings of all nodes, as one node has them. */
export interface Settings {
  /** Resolves once they are loaded. */
  readonly ready: Promise<void>;
  /** What this node knows, without asking anybody. Undefined if nobody ever set it. */
  get(name: string): Setting | undefined;
  /** Sets it, whatever it was. */
  set(name: string, setting: Setting): Promise<void>;
  /** Changes it on the basis of what it is; somebody else's change in between is taken into account, not overwritten. */
  change(name: string, how: (setting: Setting) => Setting): Promise<Setting | undefined>;
  close(): Promise<void>;
}

function openCollection(store: StateStore): Collection<Setting> {
  return store.collection({ name: "setting", schema, indexes: ["state"], topic: "setting" });
}

/**
 * Loads the settings and follows them. `onChange` hears of each change, also of this node's own, and of all of them after a
 * gap. `onError` hears why following ended, if it did not end with `close`.
 */
export function openSettings(
  store: StateStore,
  onChange: (name: string, setting: Setting | undefined) => void,
  onError: (error: unknown) => void,
): Settings {
  const collection = openCollection(store);
  const known = new Map<string, Stored<Setting>>();
  const closing = new AbortController();
  const { signal } = closing;
  let loaded: () => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    [loaded, failed] = [resolve, reject];
  });

  function learn(id: string, record: Stored<Setting> | undefined): void {
    if (record) known.set(id, record);
    else known.delete(id);
    onChange(id, record?.value);
  }

  async function follow(): Promise<void> {
    for await (const item of collection.watch({ signal })) {
      if (item.type === "snapshot") {
        const ids = new Set(item.records.map(({ id }) => id));
        for (const id of known.keys()) if (!ids.has(id)) learn(id, undefined);
        for (const record of item.records) if (isNews(record)) learn(record.id, record);
        loaded();
        continue;
      }
      // An event says that something changed, the record says what it is. Twice is no harm.
      const record = await collection.get(item.id);
      if (!record || isNews(record)) learn(item.id, record);
    }
  }

  function isNews({ id, version }: Stored<Setting>): boolean {
    return known.get(id)?.version !== version;
  }

  const following = follow().catch((error: unknown) => {
    failed(error);
    onError(error);
  });
  // Whoever does not wait for it hears of it through onError.
  ready.catch(() => {});

  return {
    ready,
    get: (name) => known.get(name)?.value,
    async set(name, setting) {
      const event = { type: "setting.changed" };
      const created = await collection.create(name, setting, { event });
      if (created.outcome === "exists") await collection.update(name, { set: setting }, { event });
    },
    async change(name, how) {
      for (;;) {
        const record = await collection.get(name);
        if (!record) return undefined;
        const setting = how(record.value);
        const event = { type: "setting.changed" };
        const { outcome } = await collection.update(
          name,
          { set: setting },
          { version: record.version, event },
        );
        if (outcome === "ok") return setting;
      }
    },
    async close() {
      closing.abort();
      await following;
    },
  };
}
