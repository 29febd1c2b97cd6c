import { isParallaxError } from "@parallax/core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createAuthenticator } from "../../src/http/auth.ts";

const compared = vi.hoisted(() => vi.fn());
vi.mock("node:crypto", async (importOriginal) => {
  const actual = await importOriginal<typeof import("node:crypto")>();
  return {
    ...actual,
    timingSafeEqual(...pair: Parameters<typeof actual.timingSafeEqual>) {
      compared();
      return actual.timingSafeEqual(...pair);
    },
  };
});

const tokens = [
  { token: "token-of-api", role: "api" as const },
  { token: "token-of-agent", role: "agent" as const },
  { token: "token-of-admin", role: "admin" as const },
];
const roles = ["api", "agent", "admin"] as const;

describe("the authenticator", () => {
  const authenticator = createAuthenticator(tokens);

  /** `ok`, or the code of the refusal. */
  function outcome(authorization: string | undefined, role: (typeof roles)[number]): string {
    try {
      authenticator.require(authorization, role);
      return "ok";
    } catch (error) {
      return isParallaxError(error) ? error.code : "?";
    }
  }

  it.each([
    ["api", ["ok", "forbidden", "forbidden"]],
    ["agent", ["forbidden", "ok", "forbidden"]],
    ["admin", ["ok", "ok", "ok"]],
  ])(
    "lets %s do what it may: api runs and reads, agent connects agents, admin does everything",
    (role, expected) => {
      expect(roles.map((wanted) => outcome(`Bearer token-of-${role}`, wanted))).toEqual(expected);
    },
  );

  it.each([
    ["none", undefined],
    ["an unknown one", "Bearer token-of-nobody"],
    ["another scheme", "Basic token-of-admin"],
    ["none behind the scheme", "Bearer "],
    ["one that only begins right", "Bearer token-of-admin2"],
    ["part of one", "Bearer token-of-admi"],
    ["two", "Bearer token-of-admin token-of-api"],
  ])("does not let pass who has no valid token: %s", (_, authorization) => {
    for (const role of roles) expect(outcome(authorization, role)).toBe("unauthorized");
  });

  it("takes the scheme in any case", () => {
    expect(outcome("bearer token-of-api", "api")).toBe("ok");
  });

  it("tells callers apart without saying anything about their tokens", () => {
    const [first, second] = ["api", "admin"].map((role) =>
      authenticator.require(`Bearer token-of-${role}`, "api"),
    );
    expect(first?.name).not.toBe(second?.name);
    expect(first?.name).not.toContain("token");
    expect(authenticator.require("Bearer token-of-api", "api").name).toBe(first?.name);
  });

  it("shows no token in its errors", () => {
    for (const authorization of ["Bearer token-of-nobody", "Bearer token-of-agent"]) {
      try {
        authenticator.require(authorization, "api");
        expect.unreachable();
      } catch (error) {
        const shown = `${JSON.stringify(error)} ${String(error)} ${error instanceof Error ? error.stack : ""}`;
        expect(shown).not.toContain("token-of");
      }
    }
  });

  it("lets everybody do everything where there are no tokens", () => {
    const open = createAuthenticator([]);
    expect(open.require(undefined, "admin")).toEqual({ role: "admin", name: "anyone" });
  });

  describe("takes the same time whatever the token", () => {
    beforeEach(() => compared.mockClear());
    it.each(["token-of-api", "token-of-admin", "token-of-nobody", "x"])(
      "by comparing %s with every token that there is",
      (token) => {
        outcome(`Bearer ${token}`, "api");
        expect(compared).toHaveBeenCalledTimes(tokens.length);
      },
    );
  });
});
