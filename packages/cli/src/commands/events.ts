import { ParallaxError, systemClock } from "@parallax/core";
import type { EventTopic, StreamEvent } from "@parallax/protocol";
import type { CliContext, RegisterCommand } from "../context.ts";

interface EventsOptions {
  readonly follow?: boolean;
  readonly topics?: string;
  readonly after?: string;
  readonly execution?: string;
}

const topicNames: readonly EventTopic[] = ["execution", "agent", "cluster"];

/** Without `--follow` the command ends after this much silence, in milliseconds. */
const silenceMs = 1_000;

/** `parallax events` */
export const registerEvents: RegisterCommand = (parent, context) => {
  parent
    .command("events")
    .description("print what happens in the cluster, one line an event")
    .option("-f, --follow", "go on until interrupted; without it, end after a second of silence")
    .option("--topics <names>", `only these, separated by commas: ${topicNames.join(", ")}`)
    .option("--execution <id>", "what happens to one execution, until it has ended")
    .option("--after <cursor>", "begin after this event: an earlier line's cursor, as --json shows it")
    .addHelpText("after", "\nExample:\n  $ parallax events --follow --topics cluster")
    .action((options: EventsOptions) => events(context, options));
};

async function events(context: CliContext, options: EventsOptions): Promise<void> {
  const { io } = context;
  const topics = readTopics(options.topics);
  const client = await context.client();
  const silence = createSilence(io.signal, options.follow === true);
  const base = {
    signal: silence.signal,
    after: options.after,
    // Where nobody answers it ends soon; once it has begun, it goes on across a fail-over.
    firstAttempts: Math.max(3, context.globals().urls.length),
    onOpen: silence.broken,
  };
  const stream = options.execution
    ? client.executions.events(options.execution, base)
    : client.events(topics ? { ...base, topics } : base);
  let isEmpty = true;
  try {
    for await (const event of stream) {
      silence.broken();
      isEmpty = false;
      io.out(context.globals().json ? JSON.stringify(event) : renderEvent(event));
    }
  } finally {
    silence.end();
  }
  if (isEmpty && io.isTty && !options.follow) io.err("No events within a second; --follow goes on");
}

/** Aborts with `signal`, and unless `follow` also after a time without `broken()`. */
function createSilence(
  signal: AbortSignal,
  follow: boolean,
): { readonly signal: AbortSignal; broken(): void; end(): void } {
  const controller = new AbortController();
  const arm = (): (() => void) =>
    follow ? () => {} : systemClock.after(silenceMs, () => controller.abort());
  // It begins with the connection.
  let cancel = (): void => {};
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    broken() {
      cancel();
      cancel = arm();
    },
    end: () => cancel(),
  };
}

function isTopic(name: string): name is EventTopic {
  return topicNames.some((topic) => topic === name);
}

function readTopics(text: string | undefined): readonly EventTopic[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  const topics = names.filter(isTopic);
  if (topics.length === names.length) return topics;
  const message = `reading --topics from ${text}: write any of ${topicNames.join(", ")}, separated by commas`;
  throw new ParallaxError("wrong_use", message);
}

/** One line: the time, what happened, and its facts. */
function renderEvent(event: StreamEvent): string {
  if (event.kind === "gap") return `gap: some events of ${event.gap.topic} are missing (${event.gap.reason})`;
  if (event.kind === "snapshot") return `${event.execution.id} is ${event.execution.status}`;
  const { at, topic, type, ...facts } = event.event;
  const shown = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [at, topic, type, ...shown].join(" ");
}
