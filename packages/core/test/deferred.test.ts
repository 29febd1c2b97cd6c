import { expect, it } from "vitest";
import { createDeferred } from "../src/deferred.ts";

it("a promise that somebody else settles keeps the first of what it is settled with", async () => {
  const kept = createDeferred<number>();
  kept.resolve(1);
  kept.reject(new Error("too late"));
  expect(await kept.promise).toBe(1);
});

it("one that fails while nobody waits is no unhandled rejection, and fails whoever waits later", async () => {
  const failed = createDeferred<void>();
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", onUnhandled);
  failed.reject(new Error("nobody listens"));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
  await expect(failed.promise).rejects.toThrow("nobody listens");
});
