import type { LeaseReading, LeaseRecord, LeaseStore } from "../../src/index.ts";
import { type MemoryLeaseSpace, memoryLeaseStore } from "../../src/memory.ts";

/** Sees what takes effect at the store, whether or not anybody hears of it. */
export interface StoreWatch {
  /** Something happened that a run must have shown at least once. */
  count(what: string): void;
  /** The term in the record, and every valid one, may from now on overlap others. */
  deposed(before: LeaseRecord | undefined): void;
  /** A term was granted, whether or not its holder hears of it. */
  granted(term: number, before: LeaseReading): void;
  released(term: number): void;
}

/** A store whose every effect is watched. */
export function watchedStore(space: MemoryLeaseSpace, watch: StoreWatch): LeaseStore {
  const inner = memoryLeaseStore(space);
  return {
    ...inner,
    async acquire(request, bounds) {
      const before = space.reading();
      const result = await inner.acquire(request, bounds);
      if (result.outcome === "granted") watch.granted(result.term, before);
      watch.count(`acquire ${request.basis}: ${result.outcome}`);
      return result;
    },
    async renew(request, bounds) {
      const before = space.reading().record;
      const result = await inner.renew(request, bounds);
      const isOwn = before?.term === request.term;
      watch.count(`renew: ${result.outcome}${result.outcome === "renewed" && !isOwn ? " over a loss" : ""}`);
      return result;
    },
    async markLoss(request) {
      const before = space.reading().record;
      const reading = await inner.markLoss(request);
      if (!before) watch.count("loss marked");
      return reading;
    },
    async release(request, bounds) {
      const before = space.reading().record;
      const result = await inner.release(request, bounds);
      const isReleased = before?.state === "held" && space.reading().record?.state === "released";
      if (isReleased) watch.released(request.term);
      watch.count(`release: ${isReleased ? "done" : "nothing to do"}`);
      return result;
    },
    async depose(by, bounds) {
      watch.deposed(space.reading().record);
      return inner.depose(by, bounds);
    },
    async challenge(request) {
      const before = space.reading().record;
      await inner.challenge(request);
      if (space.reading().record !== before) watch.count("challenge: taken");
    },
  };
}
