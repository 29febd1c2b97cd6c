/**
 * Every error code that the API answers with, and the status that carries it. A code of none of these is nobody's
 * expectation: it is answered with 500 and `internal`, and its message stays in the node's log.
 */
export const errorStatuses = {
  invalid_request: 400,
  invalid_cursor: 400,
  invalid_id: 400,
  invalid_input: 400,
  invalid_limit: 400,
  invalid_pattern: 400,
  invalid_value: 400,
  unsupported_strategy: 400,
  unsupported_version: 400,
  unauthorized: 401,
  forbidden: 403,
  agent_not_found: 404,
  execution_not_found: 404,
  member_not_found: 404,
  not_found: 404,
  pattern_not_found: 404,
  unknown_member: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  execution_finished: 409,
  execution_open: 409,
  no_leader: 409,
  no_standby: 409,
  gone: 410,
  too_large: 413,
  unsupported_media_type: 415,
  idempotency_key_reused: 422,
  upgrade_required: 426,
  too_many_connections: 429,
  headers_too_large: 431,
  internal: 500,
  draining: 503,
  election_timeout: 503,
  not_ready: 503,
  not_replicated: 503,
  outcome_unknown: 503,
  overloaded: 503,
  redis_closed: 503,
  redis_unavailable: 503,
  store_closed: 503,
  store_full: 503,
  timeout: 503,
} as const;

/** A stable name of what went wrong. */
export type ErrorCode = keyof typeof errorStatuses;

/** Whether an error's code is one of the API's. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorStatuses, code);
}
