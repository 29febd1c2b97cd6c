import {
  type Backoff,
  type Clock,
  createBackoff,
  errorMessage,
  ParallaxError,
  type Random,
} from "@parallax/core";
import type { Redis } from "ioredis";
import type { Link } from "./link.ts";
import { classify, type Failure, failureError, parseRedirection } from "./replies.ts";
import { type Client, createRequest, type Request } from "./request.ts";
import { createRoute, type Route } from "./route.ts";

/** One answer, the server that gave it, and the socket it came on. */
export interface Answer {
  readonly value: unknown;
  readonly node: Redis;
  readonly socket: object | undefined;
}

/** One attempt of a call. */
export interface Attempt {
  /** On the clock of the connection. */
  readonly deadlineAtMs: number;
  /** Sends one command. @throws Refusal, ParallaxError `timeout` */
  exchange(name: string, args: readonly (string | number)[]): Promise<Answer>;
}

/** What a command was refused with. */
export class Refusal extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, cause: unknown) {
    super("Redis refused", { cause });
    this.failure = failure;
  }
}

/** Calls with a deadline. */
export interface Calls {
  /** Repeats what Redis refuses for a passing reason, with full jitter, until it does it or the time is up. */
  repeat<T>(what: string, deadlineMs: number, attempt: (attempt: Attempt) => Promise<T>): Promise<T>;
  /** Waits no longer than to the deadline, and no longer than the connection lives. @throws ParallaxError `timeout` */
  bounded<T>(work: Promise<T>, what: string, deadlineAtMs: number): Promise<T>;
  /** Settles all that is under way: ioredis leaves some of it hanging when a connection breaks. */
  abandon(reason: string): void;
}

export function createCalls(link: () => Link, clock: Clock, random: Random): Calls {
  const inFlight = new Set<(error: ParallaxError) => void>();
  const routes = new WeakMap<Client, Route>();

  function routeOf(client: Client): Route {
    const route = routes.get(client) ?? createRoute(client);
    routes.set(client, route);
    return route;
  }

  function bounded<T>(work: Promise<T>, what: string, deadlineAtMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        cancel();
        inFlight.delete(give);
        settle();
      };
      const give = (error: ParallaxError): void => finish(() => reject(error));
      const cancel = clock.after(Math.max(0, deadlineAtMs - clock.now()), () =>
        give(unknownOutcome(`${what}: Redis did not answer in time`)),
      );
      inFlight.add(give);
      // The work is not stopped. A rejection that comes too late ends here.
      work.then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  function attemptOn(route: Route, what: string, deadlineAtMs: number): Attempt {
    async function send(request: Request, node: Redis | undefined): Promise<Answer> {
      if (clock.now() >= deadlineAtMs) throw new Refusal("not-sent", new Error("the time is up"));
      // A node that is still connecting would hold the command back, and send it when its caller has given up.
      if (node?.status !== "ready") throw new Refusal("not-sent", new Error("its node is not connected"));
      try {
        const value = await bounded(request.sendTo(node), what, deadlineAtMs);
        return { value, node, socket: request.socket() };
      } catch (error) {
        if (error instanceof ParallaxError) throw error;
        throw new Refusal(classify(error, request.socket() !== undefined), error);
      }
    }

    return {
      deadlineAtMs,
      async exchange(name, args) {
        const request = createRequest(name, args);
        try {
          return await send(request, route.nodeOf(request.slot()));
        } catch (error) {
          const redirection = error instanceof Refusal && parseRedirection(errorMessage(error.cause));
          if (!redirection) throw error;
          const { kind, slot, address } = redirection;
          if (kind === "moved") {
            route.moved(slot, address);
            throw error;
          }
          // ASK is about this command only: the slot is on its way, and this key has arrived already.
          const node = route.nodeAt(address);
          if (node?.status === "ready")
            createRequest("asking", [])
              .sendTo(node)
              .catch(() => {});
          return send(createRequest(name, args), node);
        }
      },
    };
  }

  return {
    bounded,
    async repeat(what, deadlineMs, attempt) {
      const deadlineAtMs = clock.now() + deadlineMs;
      let backoff: Backoff | undefined;
      let reason: Refusal | undefined;
      for (;;) {
        const route = routeOf(await link().whenReady(what, deadlineAtMs - clock.now()));
        try {
          return await attempt(attemptOn(route, what, deadlineAtMs));
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          // That nothing could be sent any more says less than what Redis had said before.
          if (error.failure !== "not-sent" || !reason) reason = error;
          const { failure, cause } = reason;
          // Who serves a slot is found out anew, or the next attempt would go astray in the same way.
          if (failure !== "refused") route.refresh();
          backoff ??= createBackoff({ initialMs: 20, maxMs: 500, random });
          const waitMs = backoff.next();
          const isHarmless = failure === "retry" || failure === "not-sent";
          if (!isHarmless || clock.now() + waitMs >= deadlineAtMs) throw failureError(what, failure, cause);
          await clock.sleep(waitMs);
        }
      }
    },
    abandon(reason) {
      for (const give of [...inFlight]) give(unknownOutcome(`calling Redis: ${reason}`));
    },
  };
}

function unknownOutcome(what: string): ParallaxError<"timeout"> {
  return new ParallaxError(
    "timeout",
    `${what}; whether it was done is unknown, so check before repeating it`,
  );
}
