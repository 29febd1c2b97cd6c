import type { CancelTimer, Clock } from "@parallax/core";
import type { Courier, Delivery } from "./broker.ts";

export interface DeliveriesOptions {
  readonly clock: Clock;
  readonly courier: Courier;
  /** How long a task may stay without its agent's acceptance, in ms. */
  readonly graceMs: number;
  /** Whether the agent has answered this attempt, so that it needs neither the task again nor a word that it is over. */
  readonly isAnswered: (taskId: string, attempt: number) => boolean;
  /** The agent could not be reached within the grace. */
  readonly onLost: (taskId: string, attempt: number) => void;
}

/** Sends journaled tasks to their agents until they are accepted, and calls them back when they are not wanted any more. */
export interface Deliveries {
  /** This is what the task needs now: a delivery, or none any more. */
  track(taskId: string, delivery: Delivery | undefined): void;
  accepted(taskId: string, attempt: number): void;
  /** Forgets all; the agents go on. */
  stop(): void;
}

/** A delivery that was not accepted is sent again after this time: its task frame or its hint was lost. */
const resendEveryMs = 2000;

interface Sent {
  readonly delivery: Delivery;
  cancelTimer: CancelTimer;
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { clock, courier, graceMs, isAnswered, onLost } = options;
  const sent = new Map<string, Sent>();

  function send(delivery: Delivery): void {
    const entry: Sent = { delivery, cancelTimer: () => {} };
    const firstSentMs = clock.now();
    const attempt = (): void => {
      // Its result is being written: the agent may have forgotten the task by now, and would work on it anew.
      if (isAnswered(delivery.taskId, delivery.attempt)) return;
      const leftMs = firstSentMs + graceMs - clock.now();
      if (leftMs <= 0) {
        onLost(delivery.taskId, delivery.attempt);
        return;
      }
      entry.cancelTimer = clock.after(Math.min(resendEveryMs, leftMs), attempt);
      courier.deliver({ ...delivery, resend: delivery.resend || clock.now() > firstSentMs });
    };
    sent.set(delivery.taskId, entry);
    attempt();
  }

  function forget(taskId: string): void {
    sent.get(taskId)?.cancelTimer();
    sent.delete(taskId);
  }

  return {
    track(taskId, delivery) {
      const before = sent.get(taskId)?.delivery;
      if (delivery?.attempt === before?.attempt) return;
      forget(taskId);
      if (before && !isAnswered(taskId, before.attempt)) courier.cancel(before, "superseded");
      if (delivery) send(delivery);
    },
    accepted(taskId, attempt) {
      const entry = sent.get(taskId);
      if (entry?.delivery.attempt === attempt) entry.cancelTimer();
    },
    stop() {
      for (const taskId of [...sent.keys()]) forget(taskId);
    },
  };
}
