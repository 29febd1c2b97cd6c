import { errorMessage, type Unsubscribe } from "@parallax/core";
import type { ChannelMessage } from "./connection.ts";
import type { Client } from "./request.ts";

interface Subscription {
  readonly channels: readonly string[];
  readonly onMessage: (message: ChannelMessage) => void;
  readonly onReady: () => void;
}

export interface SubscriptionsOptions {
  /** The client, while it can be used. */
  readonly client: () => Client | undefined;
  /** Waits for an answer, but not for ever. */
  readonly bounded: <T>(work: Promise<T>, what: string) => Promise<T>;
  /** Subscribing worked. */
  readonly onSubscribed: () => void;
  /** Subscribing did not work, though there is a connection. */
  readonly onRefused: (reason: string, error: unknown) => void;
  readonly onError: (error: unknown) => void;
}

/** The channels that are listened on, over clients that come and go. */
export interface Subscriptions {
  add(
    channels: readonly string[],
    onMessage: (message: ChannelMessage) => void,
    onReady: () => void,
  ): Unsubscribe;
  /** Subscribes to everything anew, on a client that has just connected. */
  restore(client: Client): void;
  deliver(channel: string, payload: string): void;
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { client: currentClient, bounded, onSubscribed, onRefused, onError } = options;
  const subscriptions = new Set<Subscription>();

  async function subscribe(client: Client, wanted: readonly Subscription[]): Promise<void> {
    const channels = new Set(wanted.flatMap((subscription) => subscription.channels));
    if (channels.size === 0) return onSubscribed();
    try {
      await bounded(client.subscribe(...channels), "subscribing to channels");
    } catch (error) {
      // If the client has gone meanwhile, the next one restores what is wanted.
      if (client === currentClient()) onRefused(`subscribing failed: ${errorMessage(error)}`, error);
      return;
    }
    onSubscribed();
    for (const subscription of wanted) if (subscriptions.has(subscription)) guard(subscription.onReady);
  }

  function guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      onError(error);
    }
  }

  return {
    add(channels, onMessage, onReady) {
      const subscription: Subscription = { channels, onMessage, onReady };
      subscriptions.add(subscription);
      const client = currentClient();
      if (client) void subscribe(client, [subscription]);
      return () => {
        if (!subscriptions.delete(subscription)) return;
        const rest = new Set([...subscriptions].flatMap((other) => other.channels));
        const unwanted = channels.filter((channel) => !rest.has(channel));
        // A connection that is lost takes its subscriptions with it.
        if (unwanted.length > 0)
          currentClient()
            ?.unsubscribe(...unwanted)
            .catch(() => {});
      };
    },
    restore: (client) => void subscribe(client, [...subscriptions]),
    deliver(channel, payload) {
      for (const subscription of [...subscriptions])
        if (subscription.channels.includes(channel))
          guard(() => subscription.onMessage({ channel, payload }));
    },
  };
}
