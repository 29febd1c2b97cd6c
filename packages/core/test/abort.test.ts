import { describe, expect, it } from "vitest";
import { abortError, onAbort, throwIfAborted } from "../src/abort.ts";
import { ParallaxError } from "../src/errors.ts";

describe("an aborted wait", () => {
  it("ends with one error code, whatever the signal's reason is", () => {
    const reason = new Error("shutting down");
    expect(abortError(AbortSignal.abort(reason))).toMatchObject({ code: "aborted", cause: reason });
    expect(abortError(AbortSignal.abort("word"))).toMatchObject({ code: "aborted", cause: "word" });
    expect(abortError()).toMatchObject({ code: "aborted" });
  });

  it("keeps the reason itself where that is such an error already", () => {
    const reason = new ParallaxError("aborted", "draining: stop");
    expect(abortError(AbortSignal.abort(reason))).toBe(reason);
  });
});

describe("throwIfAborted", () => {
  it("throws for an aborted signal only", () => {
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow(expect.objectContaining({ code: "aborted" }));
    throwIfAborted(new AbortController().signal);
    throwIfAborted();
  });
});

describe("onAbort", () => {
  it("calls back once, at once where the signal has aborted already", () => {
    let calls = 0;
    const controller = new AbortController();
    onAbort(controller.signal, () => {
      calls += 1;
    });
    controller.abort();
    controller.abort();
    expect(calls).toBe(1);
    onAbort(controller.signal, () => {
      calls += 1;
    });
    expect(calls).toBe(2);
  });

  it("does not call back any more once it is unsubscribed", () => {
    const controller = new AbortController();
    const forget = onAbort(controller.signal, () => expect.unreachable());
    forget();
    forget();
    controller.abort();
  });

  it("never calls back without a signal", () => {
    onAbort(undefined, () => expect.unreachable())();
  });

  it("allows any number of waits on one signal without a warning", async () => {
    const warnings: Error[] = [];
    const collect = (warning: Error): void => void warnings.push(warning);
    process.on("warning", collect);
    const { signal } = new AbortController();
    const forgets = Array.from({ length: 50 }, () => onAbort(signal, () => {}));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", collect);
    for (const forget of forgets) forget();
    expect(warnings).toEqual([]);
  });
});
