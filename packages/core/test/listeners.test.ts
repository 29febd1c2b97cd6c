import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createListeners, safeOnError } from "../src/listeners.ts";
import type { Logger } from "../src/logger.ts";

describe("listeners", () => {
  it("are called with each event from the next one on, in the order in which they came", () => {
    const listeners = createListeners<string>(() => {});
    const heard: string[] = [];
    listeners.emit("unheard");
    listeners.subscribe((event) => heard.push(`first ${event}`));
    listeners.subscribe((event) => heard.push(`second ${event}`));
    listeners.emit("news");
    expect(heard).toEqual(["first news", "second news"]);
  });

  it("that were added twice are called twice, and taken away one by one", () => {
    const listeners = createListeners<void>(() => {});
    let calls = 0;
    const listener = (): void => {
      calls += 1;
    };
    const stop = listeners.subscribe(listener);
    listeners.subscribe(listener);
    listeners.emit();
    stop();
    stop();
    listeners.emit();
    expect([calls, listeners.size]).toEqual([3, 1]);
  });

  it("that throw do not keep the others from hearing", () => {
    const errors: unknown[] = [];
    const listeners = createListeners<void>((error) => errors.push(error));
    const failure = new Error("a listener's own");
    let heard = false;
    listeners.subscribe(() => {
      throw failure;
    });
    listeners.subscribe(() => {
      heard = true;
    });
    listeners.emit();
    expect([heard, errors]).toEqual([true, [failure]]);
  });

  it("that another listener takes away are not called any more, and those that it adds not yet", () => {
    const listeners = createListeners<number>(() => {});
    const heard: string[] = [];
    listeners.subscribe((event) => {
      if (event > 1) return;
      stop();
      listeners.subscribe((later) => heard.push(`added ${later}`));
    });
    const stop = listeners.subscribe((event) => heard.push(`taken away ${event}`));
    listeners.emit(1);
    listeners.emit(2);
    expect(heard).toEqual(["added 2"]);
  });

  it("that are async and reject are heard of, and end no process", async () => {
    const errors: unknown[] = [];
    const listeners = createListeners<void>((error) => errors.push(error));
    const failure = new Error("a listener's own");
    listeners.subscribe(async () => {
      throw failure;
    });
    listeners.emit();
    await Promise.resolve();
    expect(errors).toEqual([failure]);
  });

  it("behave as a list does, whatever is added and taken away", () => {
    const step = fc.oneof(fc.constant("add"), fc.constant("emit"), fc.nat({ max: 9 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const listeners = createListeners<void>(() => {});
        const heard: number[] = [];
        const expected: number[] = [];
        const stops: (() => void)[] = [];
        let present: number[] = [];
        for (const current of steps) {
          if (current === "add") {
            const id = stops.length;
            present.push(id);
            stops.push(listeners.subscribe(() => heard.push(id)));
          } else if (current === "emit") {
            expected.push(...present);
            listeners.emit();
          } else {
            stops[Number(current)]?.();
            present = present.filter((id) => id !== current);
          }
        }
        expect([heard, listeners.size]).toEqual([expected, present.length]);
      }),
    );
  });
});

describe("a safe onError", () => {
  it.each([
    ["throws", (): void => fail()],
    ["rejects", async (): Promise<void> => fail()],
  ])("that %s tells the log, and nobody else", async (_, onError) => {
    const lines: unknown[] = [];
    const silent = (): void => {};
    const error: Logger["error"] = (message, fields) => lines.push([message, fields]);
    const logger: Logger = { debug: silent, info: silent, warn: silent, error, child: () => logger };
    safeOnError(onError, logger)(new Error("what went wrong"));
    await Promise.resolve();
    expect(lines).toEqual([["an onError has thrown", { error: "what went wrong", another: "its own" }]]);
  });
});

function fail(): never {
  throw new Error("its own");
}
