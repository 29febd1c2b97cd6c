import { expect, it } from "vitest";
import { eventually } from "../src/eventually.ts";

it("resolves with the first thing that is there", async () => {
  let looks = 0;
  expect(
    await eventually(() => {
      looks += 1;
      if (looks === 1) throw new Error("not yet");
      return looks === 3 && "found";
    }),
  ).toBe("found");
});

it("says what it waited for, and the last error", async () => {
  const failing = eventually(() => Promise.reject(new Error("still closed")), {
    timeoutMs: 30,
    message: "the door",
  });
  await expect(failing).rejects.toMatchObject({
    message: "waited 30 ms for the door",
    cause: new Error("still closed"),
  });
});
