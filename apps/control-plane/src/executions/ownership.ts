import type { Clock, Logger } from "@parallax/core";
import type { Collection, CreateOutcome, DepositOutcome, Stored } from "@parallax/state-store";
import type { Receipt, TaskReports } from "../agents/reports.ts";
import type { NodeMessage } from "../node-messages.ts";
import type { WorkTracing } from "../observe/traced-work.ts";
import type { Owner } from "../peers.ts";
import type { StoreTime } from "../store-time.ts";
import type { Aggregator } from "./aggregator.ts";
import type { Broker, Courier } from "./broker.ts";
import { waitOf } from "./counted-time.ts";
import { createDriver, type Driver } from "./driver.ts";
import { createEnds, putIn } from "./ends.ts";
import { createHandOver } from "./hand-over.ts";
import { type Letter, letterKey, readInbox } from "./inbox.ts";
import { eventOf, type Journal } from "./journal.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { createRecall, type Recall } from "./recall.ts";
import { type ExecutionRecord, executionOf, isFinal, taskIndex } from "./record.ts";
import { createRemembered } from "./remembered.ts";
import type { Schemas } from "./schemas.ts";

export interface OwnershipOptions {
  readonly nodeId: string;
  /** The name under which this process owns executions. Another one after its incarnation has ended. */
  readonly owner: () => string;
  readonly executions: Collection<ExecutionRecord>;
  readonly journal: Journal;
  readonly aggregator: Aggregator;
  readonly schemas: Schemas;
  readonly broker: Broker;
  readonly courier: Courier;
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  readonly reconnectGraceMs: number;
  readonly send: (nodeId: string, message: NodeMessage) => void;
  /** Another node that has the user's function with this hash. */
  readonly whoHas: (functionHash: string) => Owner | undefined;
  readonly hasFunction: (functionHash: string) => boolean;
  /** An execution ended here. */
  readonly onFinished: (record: ExecutionRecord) => void;
  readonly tracing: Pick<WorkTracing, "answer">;
}

/** The executions that this node owns, each with its driver, and the letters for everybody's. */
export interface Ownership extends TaskReports {
  /** Creates an execution with this node as its owner, and drives it. What is created may be under way already. */
  create(id: string, record: ExecutionRecord): Promise<CreateOutcome<ExecutionRecord>>;
  readonly recall: Recall;
  /** X2: compares the index of what this node owns with its memory, and makes good the difference. */
  reconcile(): Promise<void>;
  /** X6: the store went back to an earlier state; what this node knows better is written again. */
  recheck(): Promise<void>;
  /** The executions that this node drives. */
  drivers(): Iterable<Driver>;
  receive(message: NodeMessage): void;
  /** Asks the owner, whoever it is, to cancel. */
  cancel(id: string, reason: string): Promise<Receipt>;
  /** Gives every open execution to one of `successors` in turn, as a planned hand-over. */
  handOver(successors: readonly Owner[]): Promise<void>;
  /** Writes down that what is left is left because this node was told to stop (X7). */
  leave(): Promise<void>;
  /** Forgets everything: this incarnation has ended, and others own it now (M6). */
  dropAll(): void;
  /** How many executions this node drives. */
  readonly open: number;
}

const pageSize = 500;

export function createOwnership(options: OwnershipOptions): Ownership {
  const { nodeId, owner, executions, logger, send } = options;
  const drivers = new Map<string, Driver>();
  const handOver = createHandOver({ ...options, drivers, owned });
  const ends = createEnds({ ...options, remembered: createRemembered(options.clock) });
  let lastSeen: ReadonlyMap<string, ExecutionRecord> = new Map();
  function drive(
    id: string,
    record: ExecutionRecord,
    version: number,
    letters: Letter[],
  ): Driver | undefined {
    if (drivers.has(id) || isFinal(record.status) || record.owner !== owner()) return undefined;
    const driver = createDriver(options, {
      id,
      record,
      version,
      letters,
      owner: owner(),
      onEnded(how) {
        if (drivers.get(id) === driver) drivers.delete(id);
        ends.note(driver.finalChange());
        if (how === "finished") options.onFinished(driver.record());
        if (how === "stale") inBackground(load(id));
        logger.debug("an execution left this node", { execution: id, how });
      },
    });
    drivers.set(id, driver);
    return driver;
  }

  async function load(id: string): Promise<void> {
    if (drivers.has(id) || (await ends.again(id))) return;
    const [stored, inbox] = await Promise.all([executions.get(id), executions.inbox(id)]);
    const letters = readInbox(inbox);
    const driver = drivers.get(id);
    // Two loads may meet; what only the second one saw must not be lost.
    if (driver) for (const letter of letters) driver.push(letter);
    else if (stored) giveBackWait(stored, drive(id, stored.value, stored.version, letters));
  }

  /** The versions of what the index says that this node owns. */
  async function owned(): Promise<Map<string, number>> {
    const versions = new Map<string, number>();
    let cursor: string | undefined;
    do {
      const page = await executions.versions({
        index: "owner",
        value: owner(),
        limit: pageSize,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const { id, version } of page.records) versions.set(id, version);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return versions;
  }

  async function reconcileOnce(): Promise<void> {
    const before = new Map([...drivers].map(([id, driver]) => [id, driver.version()]));
    const found = await owned();
    const unknown = [...found.keys()].filter((id) => !drivers.has(id));
    if (unknown.length > 0) logger.info("taking over executions", { count: unknown.length });
    await Promise.all(unknown.map(load));
    for (const [id, version] of before) {
      const stored = found.get(id);
      if (stored === undefined) await dropOrRestore(id);
      // X6: versions only rise, so this is an earlier state that came back.
      else if (stored < version) drivers.get(id)?.restore();
    }
    await lookIntoQuietInboxes();
    await handOver.parked();
  }

  /** X2: a letter whose hint was lost lies in the inbox of an execution to which nothing has happened since the last look. */
  async function lookIntoQuietInboxes(): Promise<void> {
    const quiet = [...drivers].filter(([id, driver]) => lastSeen.get(id) === driver.record());
    lastSeen = new Map([...drivers].map(([id, driver]) => [id, driver.record()]));
    for (let first = 0; first < quiet.length; first += pageSize)
      await Promise.all(quiet.slice(first, first + pageSize).map(([id]) => readLetters(id)));
  }

  /** Another node has it, or the store has lost it. */
  async function dropOrRestore(id: string): Promise<void> {
    const stored = await executions.get(id);
    if (!stored) drivers.get(id)?.restore();
    // X6: an end is this node's own, whose answer is on its way, and has to be remembered with it.
    else if (stored.value.owner !== owner() && !isFinal(stored.value.status)) drivers.get(id)?.drop();
  }

  /** A result that does not fit the pattern's schema is a failed attempt. */
  function checked(letter: Letter, { definition }: ExecutionRecord): Letter {
    if (letter.kind !== "result") return letter;
    const message = options.schemas.resultProblem(definition, letter.result);
    if (message === undefined) return letter;
    const { taskId, attempt, agentId } = letter;
    return {
      kind: "failure",
      taskId,
      attempt,
      agentId,
      error: { code: "invalid_result", message },
      retryable: true,
    };
  }

  async function deliver(letter: Letter, executionId: string): Promise<Receipt> {
    const driver = drivers.get(executionId);
    const stored: Pick<Stored<ExecutionRecord>, "value"> | undefined = driver
      ? { value: driver.record() }
      : await executions.get(executionId);
    if (!stored) return "unknown";
    const standing = letter.kind === "cancel" ? "asked" : standingOf(letter, stored.value);
    if (standing !== "asked") return standing;
    const taken = checked(letter, stored.value);
    const key = letterKey(taken);
    const text = JSON.stringify(taken);
    const put = (): Promise<DepositOutcome> => executions.deposit(executionId, key, text);
    const isTaken = driver?.mayTake(taken) ?? false;
    const result = await options.tracing.answer(stored.value, taken, () =>
      driver && isTaken ? driver.take(taken, { key, text, put }) : put(),
    );
    if (result.outcome === "missing") {
      // The agent sends it again, and finds the record that its owner has written anew (X6).
      driver?.restore();
      return "unknown";
    }
    if (result.outcome === "final") return "superseded";
    if (driver && !isTaken) driver.push(taken);
    else if (!driver) send(stored.value.nodeId, { type: "letters", from: nodeId, executionId });
    return result.outcome === "ok" || result.value === text ? "counted" : "superseded";
  }

  async function readLetters(executionId: string): Promise<void> {
    const driver = drivers.get(executionId);
    if (!driver) return load(executionId);
    const known = driver.letters();
    const inbox = await executions.inbox(executionId);
    for (const letter of readInbox(inbox)) driver.push(letter);
    // X6: what was there and is not any more was taken back.
    const lost = known.filter((letter) => !Object.hasOwn(inbox, letterKey(letter)));
    for (const letter of lost) await putIn(executions, executionId, letter);
  }

  /** To the driver if it is ours, else to whoever owns it. */
  async function tellOwner(executionId: string, message: NodeMessage): Promise<void> {
    if (drivers.has(executionId)) return ownership.receive(message);
    const stored = await executions.get(executionId);
    if (stored && !isFinal(stored.value.status) && stored.value.nodeId !== nodeId)
      send(stored.value.nodeId, message);
  }

  function inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) =>
      logger.warn("a hint could not be followed; the next look at the index makes it good", { error }),
    );
  }
  const ownership: Ownership = {
    async create(id, record) {
      const driver = drive(id, record, 0, []);
      if (driver) return driver.created;
      // It is being created already, under the same key.
      const created = await executions.create(id, record, { event: eventOf(id, record) });
      if (created.outcome === "created") drive(id, record, created.version, []);
      return created;
    },
    recall: createRecall({ executions, drivers, ends }),
    async recheck() {
      await ownership.reconcile();
      await ends.recheck();
    },
    reconcile: oneAtATime(reconcileOnce),
    receive(message) {
      switch (message.type) {
        case "accepted":
          return drivers.get(executionOf(message.taskId))?.accepted(message.taskId, message.attempt);
        case "lost": {
          const { taskId, attempt, refused } = message;
          return drivers.get(executionOf(taskId))?.push({ kind: "lost", taskId, attempt, refused });
        }
        case "letters":
          return inBackground(readLetters(message.executionId));
        case "adopt":
          return inBackground(ownership.reconcile());
        default:
          return;
      }
    },
    accepted(taskId, attempt) {
      inBackground(tellOwner(executionOf(taskId), { type: "accepted", from: nodeId, taskId, attempt }));
    },
    lost(taskId, attempt, refused) {
      const message: NodeMessage = { type: "lost", from: nodeId, taskId, attempt, refused };
      inBackground(tellOwner(executionOf(taskId), message));
    },
    deliver: (letter) => deliver(letter, executionOf(letter.taskId)),
    async standings(agentId, held) {
      const ids = [
        ...new Set(held.map(({ taskId }) => executionOf(taskId)).filter((id) => !drivers.has(id))),
      ];
      const stored = await executions.getMany(ids);
      const records = new Map(stored.flatMap((found) => (found ? [[found.id, found.value]] : [])));
      return held.map(({ taskId, attempt }) => {
        const id = executionOf(taskId);
        const record = drivers.get(id)?.record() ?? records.get(id);
        if (!record) return "unknown";
        const standing = standingOf({ taskId, attempt, agentId }, record);
        if (standing !== "asked") return standing;
        const status = record.tasks[taskIndex(taskId)]?.status;
        return status === "waiting" || status === "assigned" ? "wanted" : "superseded";
      });
    },
    cancel: (id, reason) => deliver({ kind: "cancel", reason }, id),
    handOver: handOver.all,
    leave: handOver.leave,
    dropAll() {
      for (const driver of [...drivers.values()]) driver.drop();
      ends.clear();
    },
    drivers: () => drivers.values(),
    get open() {
      return drivers.size;
    },
  };
  return ownership;
}

/** X8: nobody has driven it yet, and its submitter may have waited for a store that was away. */
function giveBackWait(stored: Stored<ExecutionRecord>, driver: Driver | undefined): void {
  const byMs = waitOf(stored);
  if (byMs > 0) driver?.push({ kind: "extended", byMs });
}

/** Whether the letter's agent was asked for this attempt, as far as the record knows. */
function standingOf(
  letter: { readonly taskId: string; readonly attempt: number; readonly agentId: string },
  record: ExecutionRecord,
): Receipt | "asked" {
  if (isFinal(record.status) || record.status === "aggregating") return "superseded";
  const assignment = record.tasks[taskIndex(letter.taskId)]?.assignments[letter.attempt - 1];
  // An attempt that the record does not know yet: a fail-over took it back, and its owner will write it again (X6).
  if (!assignment) return "unknown";
  return assignment.agentId === letter.agentId ? "asked" : "superseded";
}
