import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GroupMember, runGroup } from "../src/run-group.ts";

/** A member that runs until it is interrupted or told to end, and takes a moment to stop. */
function member(name: string, log: string[]): GroupMember & { end(error?: Error): void } {
  let end: (error?: Error) => void = () => {};
  return {
    name,
    end: (error) => end(error),
    async run(signal) {
      log.push(`${name} starts`);
      await new Promise<void>((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve());
        signal.addEventListener("abort", () => {
          log.push(`${name} is interrupted`);
          setImmediate(resolve);
        });
      });
      log.push(`${name} ends`);
    },
  };
}

const names = ["redis", "server", "duties"];

describe("a group", () => {
  it("ends as a whole when one member ends, the last started first, each before the one before it", async () => {
    const log: string[] = [];
    const members = names.map((name) => member(name, log));
    const running = runGroup(members);
    members[1]?.end();
    await running;
    expect(log).toEqual([
      ...names.map((name) => `${name} starts`),
      "server ends",
      "duties is interrupted",
      "duties ends",
      "server is interrupted",
      "redis is interrupted",
      "redis ends",
    ]);
  });

  it("rejects with the first error, after all have ended", async () => {
    const log: string[] = [];
    const members = names.map((name) => member(name, log));
    const running = runGroup(members);
    members[0]?.end(new Error("first"));
    await expect(running).rejects.toThrow("first");
    expect(log.filter((line) => line.endsWith("ends"))).toEqual(["duties ends", "server ends"]);
  });

  it("ends when its signal aborts, at once if that has happened already", async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const running = runGroup(
      names.map((name) => member(name, log)),
      controller.signal,
    );
    controller.abort();
    await running;
    await runGroup([member("late", log)], AbortSignal.abort());
    expect(log.slice(-3)).toEqual(["late starts", "late is interrupted", "late ends"]);
  });

  it("without members ends at once", async () => {
    await runGroup([]);
  });

  it("in which a member throws before it has even begun to wait still stops the others", async () => {
    const log: string[] = [];
    const broken: GroupMember = {
      name: "broken",
      run() {
        throw new Error("no port");
      },
    };
    await expect(runGroup([member("redis", log), broken, member("server", log)])).rejects.toThrow("no port");
    expect(log).toContain("redis ends");
    expect(log).toContain("server ends");
  });

  it("always ends, with everybody, whoever ends first and however", async () => {
    const ends = fc.array(fc.constantFrom("ends", "fails", "goes on"), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(ends, async (ways) => {
        const log: string[] = [];
        const members = ways.map((_, index) => member(String(index), log));
        const controller = new AbortController();
        const running = runGroup(members, controller.signal).then(
          () => "ended",
          () => "failed",
        );
        for (const [index, way] of ways.entries())
          if (way !== "goes on") members[index]?.end(way === "fails" ? new Error(way) : undefined);
        controller.abort();
        expect(await running).toBe(ways.includes("fails") ? "failed" : "ended");
        expect(log.filter((line) => line.endsWith("starts"))).toHaveLength(ways.length);
      }),
      { numRuns: 60 },
    );
  });
});
