import { createHash, timingSafeEqual } from "node:crypto";
import { ParallaxError } from "@parallax/core";
import type { Role } from "../config/schema.ts";

/** Who calls, as far as a token tells. */
export interface Caller {
  readonly role: Role;
  /** Stands for the caller where keys of different callers must not meet; says nothing about the token. */
  readonly name: string;
}

/** A token and what it is good for. */
export interface TokenEntry {
  readonly token: string;
  readonly role: Role;
}

/** Knows the tokens. */
export interface Authenticator {
  /** There are no tokens: everybody may do everything. */
  readonly isOpen: boolean;
  /** @throws ParallaxError `unauthorized` for a missing or unknown token, `forbidden` for a role that may not. */
  require(authorization: string | undefined, role: Role): Caller;
  /** From now on these count, and no others. */
  replace(tokens: readonly TokenEntry[]): void;
  /** Whether the caller of this name would still be let in, with whatever role. */
  knows(name: string): boolean;
}

/** Who calls where there are no tokens. */
const anyone = "anyone";

/** Without tokens everybody may do everything: the server then listens on loopback unless it is told otherwise. */
export function createAuthenticator(tokens: readonly TokenEntry[]): Authenticator {
  let known = digestsOf(tokens);

  /** Compares with every token, each in constant time, so that the time taken tells nothing. */
  function find(token: string): Caller | undefined {
    const candidate = digest(token);
    const matching = known.filter((entry) => timingSafeEqual(entry.digest, candidate));
    return matching.map(({ role }) => ({ role, name: nameOf(candidate) }))[0];
  }

  return {
    get isOpen() {
      return known.length === 0;
    },
    require(authorization, role) {
      if (known.length === 0) return { role: "admin", name: anyone };
      const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
      const caller = token === undefined ? undefined : find(token);
      if (!caller) {
        throw new ParallaxError(
          "unauthorized",
          "checking the token: send `Authorization: Bearer <token>` with a valid token",
        );
      }
      if (caller.role !== role && caller.role !== "admin") {
        const message = `checking the token: its role is ${caller.role}, but this needs ${role}; use another token`;
        throw new ParallaxError("forbidden", message);
      }
      return caller;
    },
    replace(replacement) {
      known = digestsOf(replacement);
    },
    knows: (name) =>
      known.length === 0 ? name === anyone : known.some((entry) => nameOf(entry.digest) === name),
  };
}

function digestsOf(tokens: readonly TokenEntry[]): { readonly digest: Buffer; readonly role: Role }[] {
  return tokens.map(({ token, role }) => ({ digest: digest(token), role }));
}

function nameOf(tokenDigest: Buffer): string {
  return tokenDigest.toString("hex").slice(0, 16);
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
