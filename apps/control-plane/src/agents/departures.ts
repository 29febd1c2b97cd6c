import type { CancelTimer, Clock, Random } from "@parallax/core";
import { closeCodes } from "@parallax/protocol";
import { beatMs } from "./connection.ts";
import type { Session } from "./session.ts";

export interface DeparturesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The agents of this node, by id. */
  readonly connected: ReadonlyMap<string, Session>;
  readonly isIdle: (session: Session) => boolean;
  /** The agent was told to leave. */
  readonly onMoving: (session: Session) => void;
}

/** How agents are sent elsewhere. They are told when to go and close by themselves; the node closes what has not gone. */
export interface Departures {
  leave(session: Session, afterMs: number, code: number): void;
  /** All of them, spread over `windowMs`. */
  leaveAll(windowMs: number): void;
  /** Lets idle agents go while there are more than `share`, once a second; forgotten unless it is said again. */
  shed(share: number): void;
  /** The agent has connected to this node. */
  arrived(agentId: string): void;
  stop(): void;
}

/** How much longer than it was told an agent may stay, in ms. */
const toleranceMs = 3000;
/** Of all that are to leave so many are told in one turn of the event loop, and the next ones so many ms later. */
const toldAtOnce = 100;
const toldEveryMs = 20;
/** What the leader says of this node's share holds for this long, in ms. */
const shareHoldsMs = 10_000;
/** Which part of its agents a node lets go at one beat, at most. */
const partAtOnce = 0.03;
/** An agent that was asked to move and came back is left alone for this long, in ms: its balancer wants it here. */
const leftAloneMs = 600_000;
/** Where so many were asked, and nearly all came back, nobody else is asked: the balancer is sticky. */
const futile = { asked: 20, part: 0.8 };
/** How long an agent that was asked may take to come back, in ms. */
const returnMs = 5000;

export function createDepartures(options: DeparturesOptions): Departures {
  const { clock, random, connected, isIdle, onMoving } = options;
  const timers = new Set<CancelTimer>();
  /** The agents that were asked to move, oldest first. */
  const asked = new Map<string, { readonly atMs: number; back: boolean }>();
  const stopBeating = clock.every(beatMs, beat);
  let wanted: { readonly share: number; readonly untilMs: number } | undefined;

  function later(ms: number, act: () => void): void {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      act();
    });
    timers.add(cancel);
  }

  function leave(session: Session, afterMs: number, code: number): void {
    session.moving = true;
    onMoving(session);
    session.connection.send({ type: "drain", reconnectAfterMs: afterMs });
    later(afterMs + toleranceMs, () => session.connection.close(code, "connect to another node"));
  }

  function forgetOldAsks(): void {
    for (const [agentId, { atMs }] of asked) {
      if (clock.now() - atMs < leftAloneMs) return;
      asked.delete(agentId);
    }
  }

  /** Whether it does no good to ask: whoever goes comes back. */
  function isFutile(): boolean {
    const answered = [...asked.values()].filter(({ atMs, back }) => back || clock.now() - atMs >= returnMs);
    const back = answered.filter((ask) => ask.back).length;
    return answered.length >= futile.asked && back > futile.part * answered.length;
  }

  function shedSome(share: number): void {
    const staying = [...connected.values()].filter(({ moving }) => !moving);
    const atMost = Math.min(staying.length - share, Math.max(1, Math.ceil(staying.length * partAtOnce)));
    let leaving = 0;
    for (const session of staying) {
      if (leaving >= atMost) return;
      if (asked.has(session.agentId) || !isIdle(session)) continue;
      leaving += 1;
      asked.set(session.agentId, { atMs: clock.now(), back: false });
      leave(session, random.next() * beatMs, closeCodes.rebalance);
    }
  }

  function beat(): void {
    if (!wanted) return;
    forgetOldAsks();
    if (clock.now() >= wanted.untilMs) wanted = undefined;
    else if (!isFutile()) shedSome(wanted.share);
  }

  return {
    leave,
    leaveAll(windowMs) {
      const all = [...connected.values()];
      const times = all.map((_, index) => (windowMs * (index + random.next())) / all.length);
      const startMs = clock.now();
      const tellFrom = (first: number): void => {
        const passedMs = clock.now() - startMs;
        for (const [index, session] of all.slice(first, first + toldAtOnce).entries())
          leave(session, Math.max(0, (times[first + index] ?? 0) - passedMs), closeCodes.serviceRestart);
        if (first + toldAtOnce < all.length) later(toldEveryMs, () => tellFrom(first + toldAtOnce));
      };
      tellFrom(0);
    },
    shed(share) {
      wanted = { share, untilMs: clock.now() + shareHoldsMs };
    },
    arrived(agentId) {
      const ask = asked.get(agentId);
      if (ask) ask.back = true;
    },
    stop() {
      stopBeating();
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}
