import { describe, expect, it } from "vitest";
import {
  asReply,
  classify,
  type Failure,
  failureError,
  isReadOnlyRefusal,
  parseRedirection,
} from "../src/replies.ts";

const reply = (message: string): Error => Object.assign(new Error(message), { name: "ReplyError" });

describe("what an error means", () => {
  it.each<[Failure, Error, boolean]>([
    ["retry", reply("MOVED 3999 127.0.0.1:6381"), true],
    ["retry", reply("ASK 3999 127.0.0.1:6381"), true],
    ["retry", reply("READONLY You can't write against a read only replica."), true],
    ["retry", reply("ERR Error running script (call to f_0): @user_script:1: -NOREPLICAS Not enough"), true],
    ["unknown-script", reply("NOSCRIPT No matching script. Please use EVAL."), true],
    ["refused", reply("WRONGTYPE Operation against a key holding the wrong kind of value"), true],
    ["refused", reply("ERR Error running script (call to f_0): @user_script:1: user code -MOVED"), true],
    ["refused", reply("MOVEDISH is no word of Redis"), true],
    ["refused", reply("OOM command not allowed when used memory > 'maxmemory'."), true],
    ["unknown", new Error("Connection is closed."), true],
    ["unknown", new Error("Reached the max retries per request limit (which is 0)."), true],
    ["not-sent", new Error("Connection is closed."), false],
    ["not-sent", new Error("Stream isn't writeable and enableOfflineQueue options is false"), false],
  ])("%s: %s", (failure, error, wasSent) => {
    expect(classify(error, wasSent)).toBe(failure);
  });

  it("that Redis can't take it now names no outcome that is open, and the other way round", () => {
    const error = new Error("x");
    const codes = (["retry", "not-sent", "unknown-script", "unknown", "refused"] as const).map(
      (failure) => failureError("doing", failure, error).code,
    );
    expect(codes).toEqual([
      "redis_unavailable",
      "redis_unavailable",
      "redis_unavailable",
      "timeout",
      "redis_reply",
    ]);
    expect(failureError("doing", "unknown", error)).toMatchObject({
      cause: error,
      message: expect.stringMatching(/^doing: .*unknown/),
    });
  });
});

describe("a server that has become a replica", () => {
  it("is recognised in the words of Redis 6.2 and of later ones", () => {
    expect(isReadOnlyRefusal("READONLY You can't write")).toBe(true);
    expect(
      isReadOnlyRefusal("ERR Error running script (call to f_0): @user_script:3: -READONLY You can't"),
    ).toBe(true);
    expect(isReadOnlyRefusal("ERR it is READONLY")).toBe(false);
  });
});

describe("a redirection", () => {
  it("is read with addresses of every kind", () => {
    expect(parseRedirection("MOVED 3999 127.0.0.1:6381")).toEqual({
      kind: "moved",
      slot: 3999,
      address: "127.0.0.1:6381",
    });
    expect(parseRedirection("ASK 0 fd00::1:6381")).toEqual({ kind: "ask", slot: 0, address: "fd00::1:6381" });
    for (const other of ["TRYAGAIN", "MOVED 3999", "MOVED x 127.0.0.1:1", "ERR MOVED 1 a:1"])
      expect(parseRedirection(other)).toBeUndefined();
  });
});

it("replies are checked rather than assumed", () => {
  expect(asReply(["a", 1, null, undefined, [true]])).toEqual(["a", 1, null, null, ["true"]]);
});
