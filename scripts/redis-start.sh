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

# The same folder as the store's own Redis uses, so the data is there whichever way Redis was started.
data=$repo/ptg-data
# As there, only for this account: Redis has no password here.
umask 077
mkdir -p "$data"
chmod 700 "$data"

exec "$(find_redis)" "$repo/scripts/redis_6789.conf" --dir "$data" --maxmemory "$maxmemory" "$@"
