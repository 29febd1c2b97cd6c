import { onAbort } from "./abort.ts";

/** A part of a program that runs until it is interrupted. */
export interface GroupMember {
  readonly name: string;
  /** Runs until it is done or `signal` aborts; resolves once it has stopped. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs the members together: the first to end, well or badly, interrupts all others, last started first, each awaited
 * before the one before it is interrupted. Resolves once every member has ended, or rejects with the first error.
 *
 * Source: oklog/run, whose actors behave the same way, there without an order.
 */
export async function runGroup(members: readonly GroupMember[], signal?: AbortSignal): Promise<void> {
  const errors: unknown[] = [];
  let interrupt: () => void = () => {};
  const interrupted = new Promise<void>((resolve) => (interrupt = resolve));

  async function run(member: GroupMember, memberSignal: AbortSignal): Promise<void> {
    try {
      await member.run(memberSignal);
    } catch (error) {
      errors.push(error);
    } finally {
      interrupt();
    }
  }

  const running = members.map((member) => {
    const controller = new AbortController();
    return { controller, ended: run(member, controller.signal) };
  });
  if (members.length === 0) interrupt();
  const forget = onAbort(signal, interrupt);

  await interrupted;
  forget();
  for (const { controller, ended } of running.reverse()) {
    controller.abort();
    await ended;
  }
  if (errors.length > 0) throw errors[0];
}
