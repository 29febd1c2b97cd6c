import { createHash } from "node:crypto";

/**
 * A Lua script. It touches keys of one slot only, declares all of them, reads Redis `TIME` once at its top, validates
 * everything before its first write, and nothing after that write may fail: Redis does not roll back.
 */
export interface Script {
  /** For errors and metrics, as `package.verb`: `lease.renew`. */
  readonly name: string;
  readonly lua: string;
  /** SHA-1 of `lua` in hex, as EVALSHA wants it. */
  readonly sha1: string;
  /** Changes nothing, so that repeating it after an unknown outcome is always harmless. */
  readonly readOnly: boolean;
}

/** Makes a {@link Script}. Fragments are composed by writing them one after the other in `lua`. */
export function defineScript(options: {
  readonly name: string;
  readonly lua: string;
  readonly readOnly?: boolean;
}): Script {
  const { name, lua, readOnly = false } = options;
  return { name, lua, readOnly, sha1: createHash("sha1").update(lua).digest("hex") };
}
