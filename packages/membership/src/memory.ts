import {
  type Clock,
  createListeners,
  type Random,
  randomId,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { BeatOutcome, JoinOutcome, MembershipStore, SweepOutcome } from "./store.ts";
import { sweep } from "./sweep.ts";
import {
  beat,
  type Draft,
  declareEnded,
  drain,
  historyOf,
  join,
  leave,
  type Moment,
  openTable,
  type Table,
  type Transition,
  viewOf,
} from "./table.ts";

/** Options of {@link memoryMembershipSpace}. */
export interface MemoryMembershipSpaceOptions {
  /** Its wall clock is the store's clock. Default: this machine's. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Receives every transition in the step that makes it, named as in the log of events: `member-joined`, `member-failed`, … */
  readonly onEvent?: (event: { readonly type: string; readonly [field: string]: unknown }) => void;
}

/** The members of one cluster inside of one process. Each node opens a {@link memoryMembershipStore} on it. */
export interface MemoryMembershipSpace {
  /** The table as it is. */
  table(): Table | undefined;
  /** The store's time, epoch ms. */
  now(): number;
  /** Sets the store's clock forward, or back where `ms` is negative. */
  stepClock(ms: number): void;
  /** Loses everything, as FLUSHALL and a restart without persistence do. */
  lose(): void;
  /** Takes the table back to an earlier one, as a fail-over to a replica that lagged behind does. */
  rewind(table: Table | undefined): void;
  /** Applies a change in one step. */
  change<Result>(apply: (draft: Draft, moment: Moment) => Result): Result;
  /** Hints at changes of the view. */
  subscribe(onHint: () => void): () => void;
}

/** Makes the members of one cluster in memory. Hand the same space to the stores of all its nodes. */
export function memoryMembershipSpace(options: MemoryMembershipSpaceOptions = {}): MemoryMembershipSpace {
  const { clock = systemClock, random = systemRandom, onEvent } = options;
  const hints = createListeners<void>(() => {});
  let table: Table | undefined;
  let lineage = randomId("", random);
  let steppedMs = 0;

  const now = (): number => Math.floor(clock.wall() + steppedMs);
  return {
    table: () => table,
    now,
    stepClock(ms) {
      steppedMs += ms;
    },
    lose() {
      table = undefined;
    },
    rewind(earlier) {
      table = earlier;
      lineage = randomId("", random);
    },
    change(apply) {
      const moment = { nowMs: now(), lineage, epochCandidate: randomId("", random) };
      const draft = openTable(table, moment);
      const result = apply(draft, moment);
      const { events, ownEnded: _, ...changed } = draft;
      table = changed;
      for (const { type, ...facts } of events) onEvent?.({ type: eventName(type), ...facts });
      if (events.length > 0) hints.emit();
      return result;
    },
    subscribe: (onHint) => hints.subscribe(onHint),
  };
}

/** The name of a transition in the log of events, which it shares with other topics of the cluster. */
function eventName(type: Transition["type"]): string {
  return `member-${type}`;
}

/** The embedded backend: a node's store in a space that it shares with the other nodes of this process. */
export function memoryMembershipStore(space: MemoryMembershipSpace): MembershipStore {
  return {
    async join(request): Promise<JoinOutcome> {
      return space.change((draft, moment) => {
        const { ended, replaced } = join(draft, request, moment);
        const view = viewOf(draft, moment.nowMs);
        return ended ? { outcome: "ended", view } : { outcome: "joined", view, replaced };
      });
    },
    async beat(request): Promise<BeatOutcome> {
      return space.change((draft, moment) => {
        const finding = beat(draft, request, moment);
        const storeTimeMs = moment.nowMs;
        if (finding.outcome !== "ok") return { ...finding, storeTimeMs };
        const { known } = request;
        const isKnown = known?.epoch === draft.epoch && known.version === draft.version;
        return { outcome: "ok", storeTimeMs, view: isKnown ? undefined : viewOf(draft, storeTimeMs) };
      });
    },
    async sweep(request): Promise<SweepOutcome> {
      return space.change((draft, moment) => {
        const finding = sweep(draft, request, moment);
        return { ...finding, events: [...draft.events], view: viewOf(draft, moment.nowMs) };
      });
    },
    async drain(request) {
      return space.change((draft, moment) => {
        drain(draft, request);
        return viewOf(draft, moment.nowMs);
      });
    },
    async leave(request) {
      space.change((draft, moment) => leave(draft, request, moment));
    },
    async read() {
      return space.change((draft, moment) => viewOf(draft, moment.nowMs));
    },
    async history(since) {
      return space.change((draft) => historyOf(draft, since));
    },
    async hasEnded(incarnation) {
      return space.change((draft) => draft.ended.has(incarnation));
    },
    async declareEnded(incarnation) {
      return space.change((draft, moment) => declareEnded(draft, incarnation, moment));
    },
    subscribe: (onHint) => space.subscribe(onHint),
    async [Symbol.asyncDispose]() {},
  };
}
