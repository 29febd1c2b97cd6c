import type { Clock } from "@parallax/core";
import type { Metrics } from "@parallax/metrics";
import type { Hub } from "../agents/hub.ts";
import type { TaskReports } from "../agents/reports.ts";

/** Sent attempts of which no end was heard are forgotten past this many, the oldest first. */
const maxUnderWay = 100_000;

/** Times each attempt of a task on this node's agents, from its sending to its end. */
export interface TaskTimes {
  /** The same hub, which notes what it sends. */
  sending(hub: Pick<Hub, "has" | "send">): Pick<Hub, "has" | "send">;
  /** The same reports, which note what ends. */
  ending(reports: TaskReports): TaskReports;
}

export function createTaskTimes(clock: Clock, observe: Metrics["observeTask"]): TaskTimes {
  const startedMs = new Map<string, number>();

  function started(key: string): void {
    // One that is sent again began when it was sent first.
    if (startedMs.has(key)) return;
    const [oldest] = startedMs.size >= maxUnderWay ? startedMs.keys() : [];
    if (oldest !== undefined) startedMs.delete(oldest);
    startedMs.set(key, clock.now());
  }

  function ended(key: string, outcome: Parameters<Metrics["observeTask"]>[0]["outcome"]): void {
    const since = startedMs.get(key);
    // Sent by another node, or reported once already.
    if (since === undefined) return;
    startedMs.delete(key);
    observe({ outcome, seconds: (clock.now() - since) / 1000 });
  }

  return {
    sending: (hub) => ({
      has: (agentId) => hub.has(agentId),
      send(agentId, frame) {
        const isSent = hub.send(agentId, frame);
        if (isSent && frame.type === "task") started(keyOf(frame.taskId, frame.attempt));
        return isSent;
      },
    }),
    ending: (reports) => ({
      accepted: reports.accepted,
      standings: reports.standings,
      lost(taskId, attempt, refused) {
        ended(keyOf(taskId, attempt), "expired");
        reports.lost(taskId, attempt, refused);
      },
      async deliver(letter) {
        const receipt = await reports.deliver(letter);
        const outcome = letter.kind === "result" ? "completed" : "failed";
        ended(keyOf(letter.taskId, letter.attempt), receipt === "counted" ? outcome : "superseded");
        return receipt;
      },
    }),
  };
}

function keyOf(taskId: string, attempt: number): string {
  return `${taskId} ${attempt}`;
}

/** The same door, which counts who comes and goes, and what they say. */
export function countSockets(
  hub: Pick<Hub, "accept">,
  metrics: Pick<Metrics, "countConnection" | "countDisconnect" | "countFrame">,
): Pick<Hub, "accept"> {
  const onMessage = (): void => metrics.countFrame();
  const onClose = (code: number): void => metrics.countDisconnect(code);
  return {
    accept(socket, caller, stream) {
      metrics.countConnection();
      socket.on("message", onMessage);
      socket.once("close", onClose);
      hub.accept(socket, caller, stream);
    },
  };
}
