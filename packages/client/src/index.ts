export type { Agents } from "./agents.ts";
export { createClient, type ParallaxClient } from "./client.ts";
export type { EventOptions } from "./event-stream.ts";
export type { Executions, Run, Submission } from "./executions.ts";
export type { ClientOptions, Fetch, FetchedAnswer, FetchInit } from "./options.ts";
export type { PatternInput, Patterns } from "./patterns.ts";
export type { CallOptions } from "./request.ts";
