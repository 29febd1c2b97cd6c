import { errorMessage, isParallaxError, ParallaxError } from "@parallax/core";
import type { AgentFrame, NodeFrame } from "@parallax/protocol";
import type { AgentEvent } from "./agent-events.ts";
import { type Link, openLink } from "./link.ts";
import type { AgentSettings } from "./options.ts";
import { type ConnectionEnd, createReconnect } from "./reconnect.ts";
import type { Session } from "./session.ts";

/** What {@link createConnector} needs. */
export interface ConnectorOptions {
  readonly settings: AgentSettings;
  readonly session: Session;
  readonly receive: (frame: NodeFrame) => void;
  readonly tick: () => void;
  readonly notify: (event: AgentEvent) => void;
}

/** Keeps one connection to the cluster, on whichever node, as long as it runs. */
export interface Connector {
  /** Resolves once `signal` has aborted and the connection is closed. @throws ParallaxError `gave_up` */
  run(signal: AbortSignal): Promise<void>;
  /** Sends on the present connection; without one the frame is dropped. */
  send(frame: AgentFrame): void;
  moveAfter(afterMs: number): void;
}

export function createConnector(options: ConnectorOptions): Connector {
  const { settings, session, receive, tick, notify } = options;
  const { urls, clock, random, logger, transport, maxPayloadBytes } = settings;
  const reconnect = createReconnect(settings.reconnect, random);
  // Agents with the same list begin at different nodes.
  let attempt = Math.floor(random.next() * urls.length);
  let link: Link | undefined;

  function nextUrl(): string {
    return urls[attempt % urls.length] ?? "";
  }

  /** One connection, from the attempt to its end. An agent heeds only its current one (X10): there is never a second. */
  async function connectOnce(signal: AbortSignal): Promise<ConnectionEnd> {
    const url = nextUrl();
    attempt += 1;
    let token: string | undefined;
    try {
      token = await settings.token();
    } catch (error) {
      return { code: 1006, reason: `no token: ${errorMessage(error)}` };
    }
    if (signal.aborted) return { code: 1000, reason: "the agent stops" };
    logger.debug("connecting", { url });
    const base = { url, token, maxPayloadBytes, transport, clock, logger };
    link = openLink({ ...base, hello: () => session.hello(), receive, tick, signal });
    const end = await link.ended;
    link = undefined;
    const wasOnline = session.online;
    session.lost();
    if (wasOnline) notify({ type: "disconnected", code: end.code, reason: end.reason });
    return end;
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = await connectOnce(signal);
      if (signal.aborted) return;
      const step = reconnect.after(end, session.owes);
      if (step.type === "give-up") throw step.error;
      if (step.forget) {
        session.forget();
        const message = `connecting to the control plane: refused with ${end.refusal?.status ?? end.code} while results are owed; check the token`;
        notify({ type: "error", error: new ParallaxError("refused", message, { details: { ...end } }) });
      }
      const { delayMs, retry } = step;
      const reason = end.reason === "" ? `closed with ${end.code}` : end.reason;
      logger.info("reconnecting", { delayMs: Math.round(delayMs), retry, reason });
      notify({ type: "reconnecting", delayMs, retry, url: nextUrl(), reason });
      await waitUnlessAborted(delayMs, signal);
    }
  }

  async function waitUnlessAborted(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await clock.sleep(delayMs, signal);
    } catch (error) {
      if (!isParallaxError(error, "aborted")) throw error;
    }
  }

  return {
    run,
    send: (frame) => link?.send(frame),
    moveAfter: (afterMs) => link?.moveAfter(afterMs),
  };
}
