import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "@parallax/core";
import type { Collection } from "@parallax/state-store";
import { z } from "zod";
import type { StoreTime } from "../store-time.ts";

/** What the nodes of a cluster sign with. */
export const secretRecordSchema = z.object({ secret: z.string(), createdAt: z.string() });

export type SecretRecord = z.infer<typeof secretRecordSchema>;

/** Signs what agents prove their sessions with, so that every node can tell whose a session is. */
export interface ResumeTokens {
  issue(agentId: string): Promise<string>;
  /** Whether a node of this cluster gave this token to this agent, and it has not expired. */
  verify(token: string, agentId: string): Promise<boolean>;
}

export interface ResumeTokensOptions {
  readonly secrets: Collection<SecretRecord>;
  readonly clock: Clock;
  /** Tokens expire by the store's clock, which all nodes share (T2). */
  readonly storeTime: StoreTime;
}

/** How long a token is good for, in ms. A connection that lasts longer gets new ones, see {@link renewTokenEveryMs}. */
export const tokenLifeMs = 86_400_000;
export const renewTokenEveryMs: number = tokenLifeMs / 3;

/** The secret is looked at again this often: whoever deletes it in the store ends the use of all tokens that it signed. */
const rereadEveryMs = 60_000;
/** And, where a signature does not fit, so often at most: another node may have begun with a new secret. */
const rereadAtMostEveryMs = 1000;

const recordId = "agent-sessions";

export function createResumeTokens(options: ResumeTokensOptions): ResumeTokens {
  const { secrets, clock, storeTime } = options;
  let known: { readonly secret: string; readonly readAtMs: number } | undefined;

  async function read(): Promise<string> {
    const stored = await secrets.get(recordId);
    const secret = stored?.value.secret ?? (await create());
    known = { secret, readAtMs: clock.now() };
    return secret;
  }

  /** One node's secret becomes everybody's. */
  async function create(): Promise<string> {
    const secret = randomBytes(32).toString("base64url");
    const createdAt = new Date(storeTime.now()).toISOString();
    const result = await secrets.create(recordId, { secret, createdAt });
    return result.outcome === "exists" ? result.record.value.secret : secret;
  }

  async function secretNotOlderThan(ageMs: number): Promise<string> {
    return known && clock.now() - known.readAtMs < ageMs ? known.secret : read();
  }

  return {
    async issue(agentId) {
      const secret = await secretNotOlderThan(rereadEveryMs);
      const expires = Math.ceil((storeTime.now() + tokenLifeMs) / 1000).toString(36);
      return `${expires}.${signature(secret, agentId, expires)}`;
    },
    async verify(token, agentId) {
      const [expires = "", signed = "", ...rest] = token.split(".");
      if (rest.length > 0 || !/^[0-9a-z]{1,10}$/.test(expires)) return false;
      if (Number.parseInt(expires, 36) * 1000 < storeTime.now()) return false;
      const fits = (secret: string): boolean => isEqual(signature(secret, agentId, expires), signed);
      return (
        fits(await secretNotOlderThan(rereadEveryMs)) || fits(await secretNotOlderThan(rereadAtMostEveryMs))
      );
    },
  };
}

function signature(secret: string, agentId: string, expires: string): string {
  return createHmac("sha256", secret).update(`${agentId} ${expires}`).digest("base64url");
}

/** In constant time, so that the time taken tells nothing of the right one. */
function isEqual(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}
