import { systemClock } from "@parallax/core";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Catalog } from "../../src/executions/catalog.ts";
import { eventOf } from "../../src/executions/journal.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import { viewOf } from "../../src/executions/view.ts";
import { type EventRoutesOptions, eventRoutes } from "../../src/http/events.ts";
import { openTestStore, recordOf, type TestStore } from "../support/records.ts";

const id = "exec_1";

describe("the events of one execution", () => {
  let at: TestStore;
  beforeEach(() => {
    at = openTestStore(systemClock);
  });
  afterEach(() => at.close());

  /** What the stream said, as the names of its events. */
  async function names(executions: EventRoutesOptions["executions"]): Promise<string[]> {
    const get: Catalog["get"] = async (wanted) => {
      const stored = await executions.get(wanted);
      if (!stored) throw new Error("it is gone");
      return viewOf(wanted, stored.value);
    };
    const options: Pick<EventRoutesOptions, "bus" | "clock" | "draining"> = {
      bus: at.bus,
      clock: systemClock,
      draining: new AbortController().signal,
    };
    const app = new Hono();
    app.route("/", eventRoutes({ ...options, executions, catalog: { get } }));
    const text = await (await app.request(`/executions/${id}/events`)).text();
    return [...text.matchAll(/^(?:event: (snapshot)|data: .*"type":"([\w-]+)".*)$/gm)].map(
      ([, snapshot, type]) => snapshot ?? type ?? "",
    );
  }

  it("leave none out, though it ends between the look at the execution and the look at its log", async () => {
    const { executions } = at.collections;
    const created = recordOf(id);
    await executions.create(id, created, { event: eventOf(id, undefined, created) ?? { type: "" } });
    const completed: ExecutionRecord = { ...created, status: "completed", result: "x" };
    let looks = 0;
    async function completeAfter<Result>(look: Promise<Result>): Promise<Result> {
      const result = await look;
      looks += 1;
      // After the first of the two looks, whichever that is.
      if (looks === 2) {
        const event = eventOf(id, created, completed);
        const patch = { set: { status: completed.status, result: "x" }, unset: ["owner" as const] };
        await executions.update(id, patch, event ? { event } : {});
      }
      return result;
    }
    const racing = {
      ...executions,
      get: (wanted: string) => completeAfter(executions.get(wanted)),
      log: (wanted: string, after?: number) => completeAfter(executions.log(wanted, after)),
    };
    expect(await names(racing)).toEqual(["execution-created", "execution-completed", "snapshot"]);
  });
});
