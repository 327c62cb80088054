#!/usr/bin/env bash
# Runs other people's clients against a store and a Redis of their own, started here and stopped at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need curl curl
need_websocat
venv clients "$here/requirements.txt"
venv clients-old "$here/requirements-old.txt"
(cd "$repo" && cargo build --quiet --locked)

work=$(mktemp -d)
store='' redis=''
stop() {
    local pid
    for pid in $store $redis; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" || true
    done
    rm -rf "$work"
}
trap stop EXIT

# A Unix socket cannot collide with another Redis, as a port could.
"$(find_redis)" --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save '' >"$work/redis.log" 2>&1 &
redis=$!
await 10 test -S "$work/redis.sock" || die "Redis did not start: $(cat "$work/redis.log")"

"$target/debug/ptg-store" --listen 127.0.0.1:0 --redis "redis+unix://$work/redis.sock" 2>"$work/store.log" &
store=$!
address() { grep -om 1 'http://127\.0\.0\.1:[0-9]*' "$work/store.log"; }
await 10 address >/dev/null || die "the store did not start: $(cat "$work/store.log")"
url=$(address)
await 10 curl -fsS -o /dev/null "$url/ping" || die "the store does not answer: $(cat "$work/store.log")"

failed=0
client() { # what it is, command…
    say "$1"
    shift
    "$@" "$url" 2>&1 | tee -a "$work/results" || failed=1
}
client "requests and current websockets" "$target/venv/clients/bin/python" "$here/test_clients.py"
client "requests and websockets 10.1" "$target/venv/clients-old/bin/python" "$here/test_clients.py"
client "curl and websocat" bash "$here/test_websocat.sh"

say "stopping the store"
kill "$store"
wait "$store" || { say "the store ended with code $?"; failed=1; }
store=''
if grep -i 'panicked' "$work/store.log"; then failed=1; fi
((failed == 0)) || tail -n 50 "$work/store.log" >&2

printf '%d passed, %d failed\n' "$(grep -c '^ok ' "$work/results" || true)" "$(grep -c '^not ok ' "$work/results" || true)"
exit "$failed"
