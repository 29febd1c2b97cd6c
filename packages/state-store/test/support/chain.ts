import { isParallaxError, type Random, randomId } from "@parallax/core";
import { expect } from "vitest";
import { z } from "zod";
import type { Collection, StateStore, UpdateOptions } from "../../src/collection.ts";

/** A link: `token` names the change that made the record what it is. */
export type Link = { readonly status: "a" | "b"; readonly token: string };

const schema: z.ZodType<Link> = z.object({ status: z.enum(["a", "b"]), token: z.string() });
const ids = Array.from({ length: 6 }, (_, at) => `l${at}`);

function openLinks(store: StateStore): Collection<Link> {
  return store.collection({ name: "link", schema, indexes: ["status"], topic: "link" });
}

/** What a writer knows of a record: the version and the token that it was told last. */
interface Known {
  readonly version: number;
  readonly token: string;
}

/** A change that was acknowledged, and what the same writer's next conditioned one of the record was answered. */
export interface Acknowledged {
  readonly id: string;
  readonly token: string;
  next?: string;
}

export interface ChainLoad {
  readonly acknowledged: readonly Acknowledged[];
  /** Codes of the errors that callers met, with how often. */
  readonly errors: ReadonlyMap<string, number>;
  /** What no caller should ever see. */
  readonly strange: readonly unknown[];
  /** Resolves once that many more changes were acknowledged. */
  acknowledge(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Errors of Redis that are not for callers, in whatever part of an error. */
const raw = /\b(?:MOVED|ASK|TRYAGAIN|READONLY|CLUSTERDOWN|NOSCRIPT|LOADING)\b/;
const expected = ["timeout", "redis_unavailable", "not_replicated", "store_full"];

/**
 * Writers that change a few records, each on top of what it knows: a change is conditioned on the version that its writer was
 * told last and carries that version's token as `base`. Whoever meets `conflict` or `missing` reads first.
 */
export function startChains(stores: readonly StateStore[], random: Random): ChainLoad {
  const acknowledged: Acknowledged[] = [];
  const errors = new Map<string, number>();
  const strange: unknown[] = [];
  let running = true;
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  function note(error: unknown): void {
    const code = isParallaxError(error) ? error.code : "none";
    errors.set(code, (errors.get(code) ?? 0) + 1);
    if (!expected.includes(code) || raw.test(String(error))) strange.push(error);
  }

  async function write(
    links: Collection<Link>,
    id: string,
    known: Known | undefined,
    last: Acknowledged | undefined,
  ) {
    const value: Link = { status: random.next() < 0.5 ? "a" : "b", token: randomId("", random) };
    const event = { type: "linked", token: value.token, base: known?.token ?? "" };
    const options: UpdateOptions<Link> = { event, ...(known && { version: known.version }) };
    const result = known
      ? await links.update(id, { set: value }, options)
      : await links.create(id, value, options);
    if (last) last.next ??= result.outcome;
    if (result.outcome !== "ok" && result.outcome !== "created") return undefined;
    const done: Acknowledged = { id, token: value.token };
    acknowledged.push(done);
    for (const { count, resolve } of waiting) if (acknowledged.length >= count) resolve();
    waiting = waiting.filter(({ count }) => acknowledged.length < count);
    return { done, known: { version: result.version, token: value.token } };
  }

  async function work(links: Collection<Link>): Promise<void> {
    const memory = new Map<string, { known: Known | undefined; last: Acknowledged | undefined }>();
    while (running) {
      const id = ids[Math.floor(random.next() * ids.length)] ?? "l0";
      const before = memory.get(id);
      try {
        const written = await write(links, id, before?.known, before?.last);
        if (written) {
          memory.set(id, { known: written.known, last: written.done });
          continue;
        }
        const found = await links.get(id);
        memory.set(id, {
          known: found && { version: found.version, token: found.value.token },
          last: undefined,
        });
      } catch (error) {
        note(error);
        // It may have taken effect: only a look tells.
        if (!isParallaxError(error, "timeout")) continue;
        memory.delete(id);
        const found = await links.get(id).catch(note);
        if (found)
          memory.set(id, { known: { version: found.version, token: found.value.token }, last: undefined });
      }
    }
  }

  const workers = stores.flatMap((store) => [work(openLinks(store)), work(openLinks(store))]);
  return {
    acknowledged,
    errors,
    strange,
    acknowledge: (count) =>
      new Promise((resolve) => waiting.push({ count: acknowledged.length + count, resolve })),
    async stop() {
      running = false;
      await Promise.all(workers);
    },
  };
}

const told = z.looseObject({ id: z.string(), version: z.int(), token: z.string(), base: z.string() });

/**
 * Of what is left after a fault: every change stands on the one that its writer knew, nothing stands twice, and whoever's
 * acknowledged change was lost was told so by its next one. Returns how many were lost.
 */
export function expectUnbroken(
  load: ChainLoad,
  events: readonly Readonly<Record<string, unknown>>[],
): number {
  expect(load.strange, "errors that are not for callers").toEqual([]);
  const chain = events.map((event) => told.parse(event));
  expect(new Set(chain.map(({ token }) => token)).size, "an event twice").toBe(chain.length);
  for (const id of ids) {
    let before = { version: 0, token: "" };
    for (const link of chain.filter((one) => one.id === id)) {
      const first = link.version === 1 ? { version: 0, token: "" } : before;
      expect({ id, version: link.version, base: link.base }).toEqual({
        id,
        version: first.version + 1,
        base: first.token,
      });
      before = link;
    }
  }
  const left = new Set(chain.map(({ token }) => token));
  const lost = load.acknowledged.filter(({ token }) => !left.has(token));
  // One that succeeded on top of a lost one is in no chain that holds, so it was lost with it.
  const answers = new Set(lost.map(({ next }) => next));
  expect(["ok", "conflict", "missing", "exists", undefined]).toEqual(expect.arrayContaining([...answers]));
  return lost.length;
}
