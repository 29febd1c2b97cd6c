# What the servers and the Sentinels have in common. Sourced by the scripts beside it.
#
#   REDIS_HOSTS      all servers, by name; the first is the first primary
#   REDIS_HOST       this one
#   REDIS_PASSWORD   of the servers; empty: none
#   SENTINEL_MASTER  the name that Sentinels know the primary by; empty: there are no Sentinels
#   SENTINEL_HOSTS   where they are; default: beside the servers
#
# And with defaults: REDIS_SERVER, REDIS_CLI, REDIS_DATA, REDIS_PORT, SENTINEL_PORT, SENTINEL_QUORUM, REDIS_BIND.

set -eu

: "${REDIS_SERVER:=redis-server}" "${REDIS_CLI:=redis-cli}" "${REDIS_DATA:=/data}" "${REDIS_BIND:=}"
: "${REDIS_PORT:=6379}" "${SENTINEL_PORT:=26379}" "${SENTINEL_QUORUM:=2}"
: "${SENTINEL_MASTER:=}" "${REDIS_PASSWORD:=}" "${SENTINEL_HOSTS:=$REDIS_HOSTS}"

first_host=${REDIS_HOSTS%% *}
sentinel_file=$REDIS_DATA/sentinel.conf

say() {
  echo "$(basename "$0"): $*" >&2
}

# One command of a server: host, then the command.
ask() {
  host=$1
  shift
  REDISCLI_AUTH="$REDIS_PASSWORD" timeout 2 "$REDIS_CLI" -h "$host" -p "$REDIS_PORT" "$@" 2>/dev/null
}

answers() {
  ask "$1" ping | grep -Eq 'PONG|LOADING|MASTERDOWN'
}

is_primary() {
  ask "$1" role | head -n 1 | grep -q '^master'
}

# The host that a quorum of Sentinels names as the primary, or nothing: one that was cut off may still name an old one.
primary_by_sentinels() {
  for host in $SENTINEL_HOSTS; do
    timeout 2 "$REDIS_CLI" -h "$host" -p "$SENTINEL_PORT" sentinel get-master-addr-by-name "$SENTINEL_MASTER" 2>/dev/null |
      head -n 1
  done | sort | uniq -c | sort -rn | awk -v quorum="$SENTINEL_QUORUM" 'NF == 2 && $1 >= quorum { print $2; exit }'
}

# The primary as the Sentinel beside this server knew it when it last ran.
remembered_primary() {
  [ ! -s "$sentinel_file" ] || awk '$1 == "sentinel" && $2 == "monitor" { print $4; exit }' "$sentinel_file"
}

# A server other than this one that is a primary.
other_primary() {
  for other in $REDIS_HOSTS; do
    if [ "$other" != "$REDIS_HOST" ] && is_primary "$other"; then
      echo "$other"
      return
    fi
  done
}
