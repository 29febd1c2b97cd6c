#!/bin/sh
# Before a server is told to stop: if it is the primary, another becomes it first, and nothing that was acknowledged is lost.
. "$(dirname "$0")/lib.sh"

# The Sentinel beside it may be stopping, too; any of them will do.
begin() {
  for host in $SENTINEL_HOSTS; do
    if timeout 2 "$REDIS_CLI" -h "$host" -p "$SENTINEL_PORT" sentinel failover "$SENTINEL_MASTER" 2>/dev/null |
      grep -q OK; then return 0; fi
  done
}

waited=0
while is_primary "$REDIS_HOST" && [ "$waited" -lt 30 ]; do
  begin
  sleep 1
  waited=$((waited + 1))
done
