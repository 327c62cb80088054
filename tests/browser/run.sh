#!/usr/bin/env bash
# Runs the pages in a headless Chromium against a store and a Redis of their own, started here and stopped at the end.
# run.sh [TEST…] runs only those of test_live.py, for example: tests/browser/run.sh test_sign_out
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need curl curl
need chromium chromium
need chromedriver chromium-driver
venv browser "$here/requirements.txt"
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
"$(find_redis)" --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save '' --appendonly no >"$work/redis.log" 2>&1 &
redis=$!
await 10 test -S "$work/redis.sock" || die "Redis did not start: $(cat "$work/redis.log")"

"$target/debug/ptg-store" --listen 127.0.0.1:0 --redis "redis+unix://$work/redis.sock" 2>"$work/store.log" &
store=$!
address() { grep -om 1 'http://127\.0\.0\.1:[0-9]*' "$work/store.log"; }
await 10 address >/dev/null || die "the store did not start: $(cat "$work/store.log")"
url=$(address)
await 10 curl -fsS -o /dev/null "$url/ping" || die "the store does not answer: $(cat "$work/store.log")"

# Screenshots of every state are left there to be looked at.
export SHOTS=$target/browser
rm -rf "$SHOTS"
mkdir -p "$SHOTS"

failed=0
pages() { # what it is, script, tests…
    say "$1"
    shift
    "$target/venv/browser/bin/python" "$here/$1" "$url" "${@:2}" 2>&1 | tee -a "$work/results" || failed=1
}
pages "the live page" test_live.py "$@"
(($# > 0)) || pages "the documentation" test_docs.py

say "stopping the store"
kill "$store"
wait "$store" || { say "the store ended with code $?"; failed=1; }
store=''
if grep -i 'panicked' "$work/store.log"; then failed=1; fi
((failed == 0)) || tail -n 50 "$work/store.log" >&2

printf '%d passed, %d failed\n' "$(grep -c '^ok ' "$work/results" || true)" "$(grep -c '^not ok ' "$work/results" || true)"
exit "$failed"
