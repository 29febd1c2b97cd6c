/**
 * Lua: `local function now_ms()`, Redis `TIME` in milliseconds with a fraction, read once per script however often it is
 * called, so that all decisions of a script rest on one moment (T2).
 */
export const nowLua: string = `
local cached_now_ms = nil
local function now_ms()
  if cached_now_ms == nil then
    local time = redis.call('TIME')
    cached_now_ms = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
  end
  return cached_now_ms
end
`;

/**
 * Lua: `local function server_identity()` → replication id, run id, uptime in ms of the server that runs the script. The
 * replication id changes with a fail-over, the run id with a restart (L2).
 */
export const serverIdentityLua: string = `
local function server_identity()
  local replication = redis.call('INFO', 'replication')
  local server = redis.call('INFO', 'server')
  local replid = string.match(replication, 'master_replid:(%w+)') or ''
  local run_id = string.match(server, 'run_id:(%w+)') or ''
  local uptime_s = tonumber(string.match(server, 'uptime_in_seconds:(%d+)') or '0')
  return replid, run_id, uptime_s * 1000
end
`;
