import type { Clock } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { StoreLimits } from "./definition.ts";
import type { RecordBackend } from "./store.ts";
import type { Writer } from "./writer.ts";

/** What the collections of a store share. */
export interface StoreContext {
  readonly backend: RecordBackend;
  readonly writer: Writer;
  readonly bus: Pick<EventBus, "position" | "iterate"> | undefined;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  /** Replicas that acknowledge a change, unless it says otherwise. */
  readonly replicas: number;
  /** A new id, for requests and for events; [0-9a-z]. */
  nextId(): string;
  /** Reads again while the store is away, until the time is up. */
  reading<Result>(read: () => Promise<Result>): Promise<Result>;
  /** Receives what is wrong but does not end the call. */
  onError(error: unknown): void;
}

/** All partitions by number. */
export function partitionsOf({ partitions }: RecordBackend): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}
