#!/usr/bin/env bash
# Starts Redis by hand on port 6789; stop it with Ctrl-C or redis-stop.sh.
# Usage: scripts/redis-start.sh [arguments of redis-server, such as --daemonize yes]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_redis
# Daemonized, Redis would find this out with nobody listening.
redis_port_taken && die "something listens on port 6789 already; scripts/redis-stop.sh stops it if it is a Redis"

# 8 GB, or half of the memory where that is less; the rest is for everybody else.
read -r _ kilobytes _ </proc/meminfo
half=$((kilobytes * 1024 / 2))
most=$((8 * 1024 ** 3))
maxmemory=$((half < most ? half : most))

# As where a store starts it, only for this account: Redis has no password here.
umask 077
# The same folder as the store's own Redis uses, so the data is there whichever way Redis was started; or what --dir names.
data=$repo/ptg-data
previous=
for argument; do
    [[ $previous == --dir ]] && data=$argument
    previous=$argument
done
if [[ $data == "$repo/ptg-data" ]]; then
    mkdir -p "$data"
    chmod 700 "$data"
fi

# Two servers that write to one append-only file destroy it: who writes holds this lock for as long as it lives.
if [[ -d $data ]] && have flock; then
    exec {lock}>>"$data/redis.ours"
    flock --nonblock "$lock" || die "a Redis writes to $data already: end the store that uses it, or name another folder with --dir"
fi

if [[ -e $data/dump.rdb && ! -e $data/appendonlydir && ! -e $data/appendonly.aof && " $* " != *" --appendonly "* ]]; then
    die "$data holds a dump.rdb alone, which Redis does not read when it keeps an append-only file: start ptg-store with" \
        "--data-dir $data once, which takes it over, or give this script --appendonly no"
fi

# The server that wrote the data, as long as it is there.
server=$(find_redis)
if [[ -O $data/redis.server ]]; then
    last=$(sed -n 2p "$data/redis.server")
    [[ -x $last ]] && server=$last
fi

exec "$server" "$repo/scripts/redis_6789.conf" --dir "$data" --maxmemory "$maxmemory" "$@"
