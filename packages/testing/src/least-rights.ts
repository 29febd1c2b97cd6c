import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RedisFixture } from "./redis-server.ts";

const guide = fileURLToPath(new URL("../../../docs/deployment.md", import.meta.url));

/** The user of Redis as docs/deployment.md makes it: what suites run under is what operators are told. */
export const leastUser = { username: "parallax", password: "of-the-user" } as const;

/** Options of {@link giveLeastRights}. */
export interface LeastRightsOptions {
  /** Patterns of keys and channels in the place of `parallax:*`, for suites with prefixes of their own. */
  readonly pattern?: string;
  /** Rules for what a suite itself does with the user's connections. */
  readonly also?: readonly string[];
  /** Whether it may do what Redis Cluster needs, too. Default false. */
  readonly cluster?: boolean;
}

/** Configuration with which every server has the user from its start, those that are added or started again included. */
export function leastRightsConfig(options: LeastRightsOptions = {}): { readonly user: readonly string[] } {
  return { user: userRule(options) };
}

/** Makes the user on a server that runs, and returns the URL that leads to it. */
export async function giveLeastRights(
  redis: Pick<RedisFixture, "send" | "port">,
  options: LeastRightsOptions = {},
): Promise<string> {
  const { username, password } = leastUser;
  await redis.send("ACL", "SETUSER", ...userRule(options));
  return `redis://${username}:${password}@127.0.0.1:${redis.port}`;
}

function userRule(options: LeastRightsOptions): string[] {
  const { username, password } = leastUser;
  return [username, "on", `>${password}`, ...leastRights(options), ...(options.also ?? [])];
}

/** The rules of the guide. */
function leastRights({ pattern, cluster = false }: LeastRightsOptions): string[] {
  const text = readFileSync(guide, "utf8");
  const rules = [...text.matchAll(/^```redis\nACL SETUSER parallax (.*?)\n```/gms)].flatMap(
    ([, found = ""]) => found.split(/\s+/).filter((rule) => !/^on$|^>/.test(rule)),
  );
  if (rules.length === 0) throw new Error("docs/deployment.md has no ACL line any more");
  const wanted = cluster ? rules : rules.filter((rule) => !/cluster|asking/.test(rule));
  return pattern === undefined ? wanted : wanted.map((rule) => rule.replace(/^([~&]).*$/, `$1${pattern}`));
}

/** What the server refused the user for want of a right. */
export async function refusals(redis: Pick<RedisFixture, "send">): Promise<string[]> {
  const log = await redis.send("ACL", "LOG");
  return Array.isArray(log) ? log.map((entry) => String(entry)) : [];
}
