import type { Clock } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Election } from "@parallax/leader-election";
import type { Membership } from "@parallax/membership";

export interface MetricsOptions {
  /** The node's id: the label of `parallax_ha_is_leader`. */
  readonly nodeId: string;
  readonly election?: Pick<Election, "stats">;
  readonly membership?: Pick<Membership, "view">;
  readonly bus?: Pick<EventBus, "stats">;
  /** High availability is off: one leader and one member, whatever the packages say. Default false. */
  readonly singleNode?: boolean;
  readonly clock?: Clock;
}

/** A rendered exposition. */
export interface Exposition {
  readonly body: string;
  readonly contentType: string;
}

/** Prometheus instruments of a node. The contract's five are worked out at each scrape, never remembered. */
export interface Metrics {
  /** In the text format. */
  expose(): Promise<Exposition>;
  /** `route` is a pattern, never a path. */
  observeHttp(request: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  observeExecution(result: {
    readonly status: "completed" | "failed" | "cancelled";
    readonly seconds: number;
  }): void;
  observeDuty(run: { readonly duty: string; readonly seconds: number; readonly ok: boolean }): void;
  countFenced(): void;
  /** A figure that is asked for at each scrape. Names begin with `parallax_`. */
  gauge(options: { readonly name: string; readonly help: string; readonly read: () => number }): void;
  close(): void;
}
