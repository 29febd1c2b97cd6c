import { setTimeout as sleep } from "node:timers/promises";
import { type Shared, startReplica } from "./nodes.ts";

/** What ran when, and by whom. */
export interface Ran {
  readonly name: string;
  readonly slot: number;
}

/** Three replicas run a job every fifth of a second; the one that leads dies, and another goes on. */
export async function tour(shared: Shared, say: (line: string) => void): Promise<readonly Ran[]> {
  const ran: Ran[] = [];
  const started = Math.floor(Date.now() / 200);
  const onRun = (name: string, slot: number): void => {
    ran.push({ name, slot });
    say(`  ${name} runs the report that is due at ${slot - started}`);
  };
  const replicas = ["replica-0", "replica-1", "replica-2"].map((name) =>
    startReplica(name, shared, { everyMs: 200, onRun }),
  );
  while (ran.length < 4) await sleep(20);
  const leader = replicas.find(({ leads }) => leads);
  await leader?.kill();
  say(`${leader?.name} has died; its lease has to expire`);
  const before = ran.length;
  while (ran.length < before + 4) await sleep(20);
  await Promise.all(replicas.map((replica) => replica !== leader && replica.stop()));
  return ran;
}
