import type { Clock } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Election } from "@parallax/leader-election";
import type { Membership } from "@parallax/membership";

/** What is watched of a connection to Redis; that of `@parallax/redis` fits. */
export interface ConnectionFigures {
  readonly state: string;
  /** Milliseconds of the last acknowledged round trip. */
  readonly roundTripMs: number | undefined;
}

/** Options of `createMetrics`. */
export interface MetricsOptions {
  /** The node's id: the label of `parallax_ha_is_leader`. */
  readonly nodeId: string;
  readonly election?: Pick<Election, "stats">;
  readonly membership?: Pick<Membership, "view"> & Partial<Pick<Membership, "unacknowledgedMs">>;
  readonly bus?: Pick<EventBus, "stats">;
  /** Connections by role, such as `{ lease, data, subscriber }`. */
  readonly redis?: Readonly<Record<"lease" | "data" | "subscriber", ConnectionFigures>>;
  /** High availability is off: one leader and one member, whatever the packages say. Default false. */
  readonly singleNode?: boolean;
  /** Whether the figures of the process are shown too: CPU, memory, event loop, garbage collection. Default true. */
  readonly processFigures?: boolean;
  readonly clock?: Clock;
  /** Receives what a figure throws. */
  readonly onError?: (error: unknown) => void;
}

/** A rendered exposition. */
export interface Exposition {
  readonly body: string;
  readonly contentType: string;
}

/** A figure of the caller's own. */
export interface Figure {
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

/** Prometheus instruments of a node. The contract's five are worked out at each scrape, never remembered. */
export interface Metrics {
  /** What a scrape gets: the text format, or OpenMetrics where the `Accept` header asks for it. */
  expose(accept?: string): Promise<Exposition>;
  /** `route` is a pattern, never a path; beyond 200 of them the rest is `other`. */
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
  /** One attempt of a task, from its assignment to its end. */
  observeTask(result: {
    readonly outcome: "completed" | "failed" | "expired" | "superseded";
    readonly seconds: number;
  }): void;
  observeDuty(run: { readonly duty: string; readonly seconds: number; readonly ok: boolean }): void;
  /** One request to Redis; `outcome` is `ok` or an error's code. */
  observeRedis(request: {
    readonly role: "lease" | "data" | "subscriber";
    readonly outcome: string;
    readonly seconds: number;
  }): void;
  /** One operation of the state store, of whatever many records; `outcome` is `ok` or an error's code. */
  observeStore(operation: {
    readonly operation: string;
    readonly outcome: string;
    readonly seconds: number;
  }): void;
  /** What became of one change of a record, such as `ok`, `conflict` or `final`; `fenced` is a stale write as well. */
  countChange(outcome: string): void;
  /** A frame that came in by an agent's WebSocket. */
  countFrame(): void;
  countConnection(): void;
  /** `code` is the WebSocket's closing code. */
  countDisconnect(code: number): void;
  /** A write of this node was refused because it carried an old term. */
  countFenced(): void;
  /** How many stale writes of this node were refused so far. */
  staleWrites(): number;
  /**
   * A figure that is asked for at each scrape. Names begin with `parallax_`. One that throws is left out of that scrape.
   * @throws ParallaxError `invalid_metric` for another name, or one that is taken
   */
  gauge(figure: Figure): void;
  /** The same for a number that only rises; its name ends in `_total`. */
  counter(figure: Figure): void;
  close(): void;
}
