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

# What others can put there is not to be written to, nor run.
if [[ -d $data && ! -O $data ]]; then die "$data belongs to another account: name a folder of your own with --dir"; fi
[[ -L $data/redis.ours ]] && die "$data/redis.ours is a link, which no store makes: remove it"

# Two servers that write to one append-only file destroy it: who writes holds this lock for as long as it lives.
if [[ -d $data ]] && have flock; then
    exec {lock}>>"$data/redis.ours"
    flock --nonblock "$lock" || die "a Redis writes to $data already: end the store that uses it, or name another folder with --dir"
fi

if [[ -e $data/dump.rdb && ! -e $data/appendonlydir && ! -e $data/appendonly.aof && " $* " != *" --appendonly "* ]]; then
    die "$data holds a dump.rdb alone, which Redis does not read when it keeps an append-only file: start ptg-store with" \
        "--data-dir $data once, which takes it over, or give this script --appendonly no"
fi

# may_run PROGRAM: whether a file may name it to be run: a known server outside of the folder that nobody but root and we could
# have put there. The store asks the same (program.rs).
may_run() {
    local real
    [[ $1 == /*/redis-server || $1 == /*/valkey-server ]] || return
    real=$(realpath -e -- "$1" 2>/dev/null) && [[ -x $real && $real != "$(realpath -- "$data")"/* ]] || return
    [[ $(find "$real" -maxdepth 0 -type f \( -uid 0 -o -uid "$EUID" \) ! -perm -o+w) ]]
}

# The server that wrote the data, as long as it is there. A record that others may write, or a link, is not believed.
server=$(find_redis)
record=$(realpath -s -- "$data/redis.server")
if [[ $(find "$record" -maxdepth 0 -type f -uid "$EUID" ! -perm /022 2>/dev/null) ]]; then
    last=$(sed -n 2p "$record")
    may_run "$last" && server=$last
fi

exec "$server" "$repo/scripts/redis_6789.conf" --dir "$data" --maxmemory "$maxmemory" "$@"
