#!/bin/sh
# Starts a Sentinel. What it has learnt is in its file, which outlives its restarts; else it asks the others.
. "$(dirname "$0")/lib.sh"

if [ ! -s "$sentinel_file" ]; then
  primary=$(primary_by_sentinels)
  [ -n "$primary" ] || primary=$(other_primary)
  [ -n "$primary" ] || primary=$first_host
  # A Sentinel ends where it can't find the name of the primary.
  until answers "$primary"; do
    say "waiting for $primary"
    sleep 1
  done
  say "beginning with $primary as the primary"
  {
    cat <<CONFIG
port $SENTINEL_PORT
dir $REDIS_DATA
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $REDIS_HOST
sentinel announce-port $SENTINEL_PORT
sentinel monitor $SENTINEL_MASTER $primary $REDIS_PORT $SENTINEL_QUORUM
sentinel down-after-milliseconds $SENTINEL_MASTER ${SENTINEL_DOWN_AFTER:-5000}
sentinel failover-timeout $SENTINEL_MASTER ${SENTINEL_FAILOVER_TIMEOUT:-30000}
sentinel parallel-syncs $SENTINEL_MASTER 1
CONFIG
    [ -z "$REDIS_PASSWORD" ] || echo "sentinel auth-pass $SENTINEL_MASTER $REDIS_PASSWORD"
  } > "$sentinel_file.new"
  mv "$sentinel_file.new" "$sentinel_file"
fi
set -- "$sentinel_file" --sentinel --protected-mode no
[ -z "$REDIS_BIND" ] || set -- "$@" --bind "$REDIS_BIND"
exec "$REDIS_SERVER" "$@"
