import { type Logger, noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { type Authenticator, createAuthenticator, type TokenEntry } from "../../src/http/auth.ts";
import { reloadTokens } from "../../src/http/reload-tokens.ts";

const first: TokenEntry = { token: "token-of-before", role: "agent" };
const second: TokenEntry = { token: "token-of-after", role: "agent" };
const lookMs = 5000;

describe("tokens that change while the node runs", () => {
  let clock: VirtualClock;
  let authenticator: Authenticator;
  let tokens: readonly TokenEntry[] | Error;
  let replaced: number;
  let warnings: unknown[];

  beforeEach(() => {
    clock = createVirtualClock();
    tokens = [first];
    replaced = 0;
    warnings = [];
    authenticator = createAuthenticator([first]);
    const logger: Logger = { ...noopLogger, warn: (_, fields) => void warnings.push(fields) };
    const read = (): readonly TokenEntry[] => {
      if (tokens instanceof Error) throw tokens;
      return tokens;
    };
    reloadTokens({ authenticator, read, onReplaced: () => (replaced += 1), clock, logger });
  });

  const letsIn = ({ token }: TokenEntry): boolean => {
    try {
      return authenticator.require(`Bearer ${token}`, "agent") !== undefined;
    } catch {
      return false;
    }
  };

  it("count from the next look on, and those before don't any more", async () => {
    const { name } = authenticator.require(`Bearer ${first.token}`, "agent");
    tokens = [second];
    expect(letsIn(first)).toBe(true);
    await clock.advance(lookMs);
    expect([letsIn(first), letsIn(second), replaced]).toEqual([false, true, 1]);
    expect(authenticator.knows(name)).toBe(false);
    await clock.advance(10 * lookMs);
    expect(replaced, "nothing happens while they stay the same").toBe(1);
  });

  it("count beside each other while one is exchanged for the other", async () => {
    const { name } = authenticator.require(`Bearer ${first.token}`, "agent");
    tokens = [first, second];
    await clock.advance(lookMs);
    expect([letsIn(first), letsIn(second), authenticator.knows(name)]).toEqual([true, true, true]);
  });

  it.each<[string, readonly TokenEntry[] | Error]>([
    ["can't be read", new Error("no such file")],
    ["are gone", []],
  ])("stay as they were while the new ones %s, with one warning", async (_, broken) => {
    tokens = broken;
    await clock.advance(5 * lookMs);
    expect([letsIn(first), replaced, warnings.length]).toEqual([true, 0, 1]);
    tokens = [second];
    await clock.advance(lookMs);
    expect([letsIn(first), letsIn(second), replaced]).toEqual([false, true, 1]);
  });

  it("are unknown to somebody who came in without any", () => {
    const open = createAuthenticator([]);
    const { name } = open.require(undefined, "agent");
    expect(open.knows(name)).toBe(true);
    open.replace([first]);
    expect(open.knows(name)).toBe(false);
  });
});
