import { join } from "node:path";
import { bundleScript, startProcess } from "@parallax/testing";
import { FlowProducer, Queue, QueueEvents } from "bullmq";
import { Redis } from "ioredis";
import type { Subject } from "./subject.ts";

// The bundle of a benchmark lies in bench/.run-…
const folder = join(import.meta.dirname, "../executions");

/** A flow of one parent and as many children as there are agents, or a single job; acknowledged when its add is. */
export function bullSubject(kind: "flow" | "job"): Subject {
  return {
    name: kind === "flow" ? "BullMQ flow" : "BullMQ job",
    async start(redisUrl, agents) {
      const script = await bundleScript(join(folder, "bullmq-worker.ts"));
      const roles = kind === "flow" ? ["children", "parents"] : ["children"];
      const processes = await Promise.all(
        roles.map((role) =>
          startProcess({ script: script.path, args: [role, redisUrl, String(kind === "flow" ? agents : 1)] }),
        ),
      );
      for (const one of processes) await one.line(/connected/);
      const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
      const flows = new FlowProducer({ connection });
      const jobs = new Queue("work", { connection });
      // Of a connection that blocks it makes one of its own.
      const events = new QueueEvents(kind === "flow" ? "execution" : "work", { connection });
      await Promise.all([flows.waitUntilReady(), jobs.waitUntilReady(), events.waitUntilReady()]);
      let listener: (id: string) => void = () => {};
      events.on("completed", ({ jobId }) => listener(jobId));
      const data = { text: "what is to be done" };
      const opts = { removeOnComplete: true };
      return {
        pids: processes.map(({ pid }) => pid),
        async submit() {
          if (kind === "job") return String((await jobs.add("one", data, opts)).id);
          const children = Array.from({ length: agents }, () => ({
            name: "part",
            queueName: "work",
            data,
            opts,
          }));
          const { job } = await flows.add({ name: "all", queueName: "execution", data, opts, children });
          return String(job.id);
        },
        onDone(next) {
          listener = next;
        },
        async stop() {
          await Promise.all([flows.close(), jobs.close(), events.close()]);
          // What was given to it, it leaves open.
          connection.disconnect();
          for (const one of processes) await one.stop();
          await script.remove();
        },
      };
    },
  };
}
