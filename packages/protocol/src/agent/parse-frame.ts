import { z } from "zod";
import { type AgentFrame, agentFrameSchemas } from "./agent-frames.ts";
import { isNestedDeeperThan } from "./nesting.ts";
import { type NodeFrame, nodeFrameSchemas } from "./node-frames.ts";
import { agentLimits } from "./transport.ts";

/** Why a text is no frame. */
export interface FrameError {
  /**
   * - `not_json`: no JSON text, or one that is not an object;
   * - `too_deep`: nested deeper than `agentLimits.maxNesting`;
   * - `unknown_type`: a frame of another version: agents ignore it, nodes answer `error`;
   * - `invalid_frame`: a field is missing or wrong.
   */
  readonly code: "not_json" | "too_deep" | "unknown_type" | "invalid_frame";
  readonly message: string;
  /** The frame's type, where it has one. */
  readonly type?: string;
}

/** What became of a text. */
export type ParsedFrame<Frame> =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly error: FrameError };

/** Reads a frame that an agent sent. Never throws. Fields that this version does not know are dropped. */
export function parseAgentFrame(text: string): ParsedFrame<AgentFrame> {
  return parseFrame(text, agentFrameSchemas);
}

/** Reads a frame that a node sent. Never throws. Fields that this version does not know are dropped. */
export function parseNodeFrame(text: string): ParsedFrame<NodeFrame> {
  return parseFrame(text, nodeFrameSchemas);
}

/** The text of a frame. */
export function encodeFrame(frame: AgentFrame | NodeFrame): string {
  return JSON.stringify(frame);
}

function parseFrame<Frame>(
  text: string,
  schemas: Readonly<Record<string, z.ZodType<Frame>>>,
): ParsedFrame<Frame> {
  if (isNestedDeeperThan(text, agentLimits.maxNesting)) {
    return refused("too_deep", `reading a frame: nest at most ${agentLimits.maxNesting} arrays and objects`);
  }
  const value = parseObject(text);
  if (value === undefined) return refused("not_json", "reading a frame: send one JSON object with a `type`");

  const type = "type" in value && typeof value.type === "string" ? value.type : undefined;
  if (type === undefined) return refused("invalid_frame", "reading a frame: give it a `type`");
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) {
    const known = Object.keys(schemas).join(", ");
    return refused("unknown_type", `reading a frame of type ${shorten(type)}: send one of ${known}`, type);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, frame: parsed.data };
  return refused("invalid_frame", `reading a frame of type ${type}: ${firstIssue(parsed.error)}`, type);
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function refused(code: FrameError["code"], message: string, type?: string): { ok: false; error: FrameError } {
  return {
    ok: false,
    error: type === undefined ? { code, message } : { code, message, type: shorten(type) },
  };
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return "correct it";
  const path = z.core.toDotPath(issue.path);
  return `correct ${path === "" ? "the frame" : shorten(path)}: ${issue.message}`;
}

function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 63)}…`;
}
