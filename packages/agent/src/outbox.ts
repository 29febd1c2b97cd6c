import type { Random } from "@parallax/core";
import { type AckFrame, agentLimits } from "@parallax/protocol";
import { failureFrame, frameSizeBytes, type OutcomeFrame } from "./outcome.ts";

/** How many results may be on their way at once: the rest follows as acknowledgements come in. */
const windowSize = 32;

/** The first wait for an acknowledgement, drawn from half to one and a half of this. It doubles with each sending. */
const firstResendMs = 5_000;
const longestResendMs = 30_000;

interface Entry {
  frame: OutcomeFrame;
  readonly sizeBytes: number;
  /** The task's deadline, by this process's monotonic clock. */
  readonly deadlineAtMs: number;
  /** Sent on the present connection, and not answered since. */
  inFlight: boolean;
  sendings: number;
  /** Not to be sent (again) before. */
  dueAtMs: number;
}

/**
 * The results that no node has acknowledged yet. Each is sent, and sent again on a jittered timer and on every new
 * connection, until it is acknowledged (X5). Deterministic: time and randomness are handed in, and nothing is sent from here.
 */
export interface Outbox {
  readonly size: number;
  has(taskId: string): boolean;
  get(taskId: string): OutcomeFrame | undefined;
  taskIds(): readonly string[];
  put(frame: OutcomeFrame, deadlineAtMs: number): void;
  remove(taskId: string): void;
  /** Makes a result due at once. */
  hasten(taskId: string): void;
  /** What is to be sent now. Call it whenever something may have become due; what it returns counts as sent. */
  due(nowMs: number, maxPayloadBytes: number): readonly OutcomeFrame[];
  /** Whether `ack` settles a result, which is then forgotten. */
  acknowledge(ack: AckFrame, nowMs: number, graceMs: number): boolean;
  /** A new connection: whatever was on its way may be lost, and all is due. */
  restart(): void;
}

export function createOutbox(random: Random): Outbox {
  const entries = new Map<string, Entry>();

  function send(entry: Entry, nowMs: number, maxPayloadBytes: number): OutcomeFrame {
    if (entry.frame.type === "result" && entry.sizeBytes > maxPayloadBytes) {
      // The node would close the connection over such a frame, and again after each reconnect.
      const message = `sending a result of ${entry.sizeBytes} bytes: return at most ${maxPayloadBytes}, or a reference`;
      entry.frame = failureFrame(entry.frame, "result_too_large", message);
    }
    entry.inFlight = true;
    const boundMs = Math.min(longestResendMs, firstResendMs * 2 ** entry.sendings);
    entry.sendings += 1;
    entry.dueAtMs = nowMs + boundMs * (0.5 + random.next());
    return entry.frame;
  }

  /** A result whose time is over leaves the window and queues up behind the others, so that it can't hold them up. */
  function requeueOverdue(nowMs: number): number {
    let inFlight = 0;
    for (const [taskId, entry] of [...entries]) {
      if (!entry.inFlight) continue;
      if (entry.dueAtMs > nowMs) inFlight += 1;
      else {
        entry.inFlight = false;
        entries.delete(taskId);
        entries.set(taskId, entry);
      }
    }
    return inFlight;
  }

  return {
    get size() {
      return entries.size;
    },
    has: (taskId) => entries.has(taskId),
    get: (taskId) => entries.get(taskId)?.frame,
    taskIds: () => [...entries.keys()].slice(0, agentLimits.maxOwed),
    put(frame, deadlineAtMs) {
      const sizeBytes = frameSizeBytes(frame);
      entries.set(frame.taskId, { frame, sizeBytes, deadlineAtMs, inFlight: false, sendings: 0, dueAtMs: 0 });
    },
    remove(taskId) {
      entries.delete(taskId);
    },
    hasten(taskId) {
      const entry = entries.get(taskId);
      if (!entry) return;
      entry.inFlight = false;
      entry.dueAtMs = 0;
    },
    due(nowMs, maxPayloadBytes) {
      const frames: OutcomeFrame[] = [];
      let inFlight = requeueOverdue(nowMs);
      for (const entry of entries.values()) {
        if (inFlight >= windowSize) break;
        if (entry.inFlight || entry.dueAtMs > nowMs) continue;
        frames.push(send(entry, nowMs, maxPayloadBytes));
        inFlight += 1;
      }
      return frames;
    },
    acknowledge({ taskId, outcome }, nowMs, graceMs) {
      const entry = entries.get(taskId);
      if (!entry) return false;
      // A4, X6: a store that lost the execution may get it back; only past the deadline there is nobody left to ask.
      if (outcome === "unknown" && nowMs < entry.deadlineAtMs + graceMs) {
        entry.inFlight = false;
        return false;
      }
      entries.delete(taskId);
      return true;
    },
    restart() {
      for (const entry of entries.values()) {
        entry.inFlight = false;
        entry.dueAtMs = 0;
      }
    },
  };
}
