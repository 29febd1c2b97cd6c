#!/bin/sh
# Starts a server in the role that it has now: Sentinels know it, or the servers themselves do, or this is the first start.
. "$(dirname "$0")/lib.sh"

has_data() {
  [ -n "$(find "$REDIS_DATA" -maxdepth 2 \( -name '*.rdb' -o -name '*.aof' \) -size +0 | head -n 1)" ]
}

others_are_up() {
  for other in $REDIS_HOSTS; do
    if [ "$other" != "$REDIS_HOST" ] && answers "$other"; then return 0; fi
  done
  return 1
}

primary() {
  named=
  [ -z "$SENTINEL_MASTER" ] || named=$(primary_by_sentinels)
  [ -n "$named" ] || named=$(other_primary)
  echo "${named:-${remembered:-$first_host}}"
}

remembered=$(remembered_primary)
if [ -n "$remembered" ]; then
  # Not the first start. All may have been down, so the Sentinels are given time to start as well.
  waited=0
  while [ "$waited" -lt "${QUORUM_WAIT:-30}" ] && [ -z "$(primary_by_sentinels)" ]; do
    sleep 1
    waited=$((waited + 1))
  done
fi

chosen=$(primary)
# A primary that comes back without its data would make its replicas empty, too. They have what it lost: it waits until one of
# them is the primary, and copies that one.
waited=0
while [ "$waited" -lt "${EMPTY_PRIMARY_WAIT:-60}" ] && [ -n "$SENTINEL_MASTER" ] && [ "$chosen" = "$REDIS_HOST" ] &&
  ! has_data && [ "$(primary_by_sentinels)" = "$REDIS_HOST" ] && others_are_up; do
  say "Sentinels name this server as the primary, but its data are gone: waiting for a fail-over"
  sleep 1
  waited=$((waited + 1))
  chosen=$(primary)
done

# Sentinels make a server write its role into its file: into a copy, for the role is found out anew at each start.
cp "${REDIS_CONFIG:-$(dirname "$0")/redis.conf}" "$REDIS_DATA/redis.conf"
set -- "$REDIS_DATA/redis.conf" --dir "$REDIS_DATA" --port "$REDIS_PORT" \
  --replica-announce-ip "$REDIS_HOST" --replica-announce-port "$REDIS_PORT"
[ -z "$REDIS_BIND" ] || set -- "$@" --bind "$REDIS_BIND"
[ -z "$REDIS_PASSWORD" ] || set -- "$@" --requirepass "$REDIS_PASSWORD" --masterauth "$REDIS_PASSWORD"
# A primary that is cut off from its replicas stops taking writes instead of taking what would be lost.
[ -z "$SENTINEL_MASTER" ] || set -- "$@" --min-replicas-to-write 1 --min-replicas-max-lag 10
if [ "$chosen" = "$REDIS_HOST" ]; then
  say "starting as the primary"
else
  say "starting as a replica of $chosen"
  set -- "$@" --replicaof "$chosen $REDIS_PORT"
fi
exec "$REDIS_SERVER" "$@"
