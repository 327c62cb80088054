#!/usr/bin/env bash
# Runs the pages in a headless Chromium against a store and a Redis of their own, started here and stopped at the end.
# run.sh [TEST…] runs only those of the live page, for example: tests/browser/run.sh test_push_by_drop
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need_tools_of "$here"
venv browser "$here/requirements.txt"

# Screenshots of every state are left there to be looked at.
export SHOTS=$target/browser
rm -rf "$SHOTS"
mkdir -p "$SHOTS"

source "$here/../../scripts/own_store.sh"
start_own_store
REDIS_SERVER=$(find_redis)
export PTG_STORE=$target/debug/ptg-store REDIS=redis+unix://$work/redis.sock REDIS_SERVER

# nginx in front of the store; sets $front.
start_front() {
    local port
    port=$(free_port)
    front=http://127.0.0.1:$port
    sed -e "s|FRONT|$port|; s|STORE|${url#http://}|; s|WORK|$work|" "$here/nginx.conf" >"$work/nginx.conf"
    nginx -p "$work" -c "$work/nginx.conf" 2>"$work/nginx.log" &
    redis+=" $!" # ended together with it
    await 10 curl -fsS -o /dev/null "$front/ptg/ping" || die "nginx does not answer: $(cat "$work/nginx.log")"
}

# What it is, the file with its tests, the address that they open, names of tests.
run_tests() { run_part "$1" "$target/venv/browser/bin/python" "$here/$2" "${@:3}"; }

# Of a file those tests that were named, or all.
live_tests() {
    local test chosen=()
    for test in "${@:3}"; do
        if grep -q "^def $test(" "$here/$2"; then chosen+=("$test"); fi
    done
    if (($# == 2 || ${#chosen[@]} > 0)); then run_tests "$1" "$2" "$url" "${chosen[@]}"; fi
}

live_tests "the live page" test_live.py "$@"
live_tests "the live page in outages" test_outages.py "$@"
live_tests "the live page with many streams" test_table.py "$@"
if (($# == 0)); then
    run_tests "the documentation" test_docs.py "$url"
    run_tests "pages and entries of strangers" test_strangers.py "$url"
    start_front
    run_tests "behind a path prefix" test_prefix.py "$front/ptg"
    run_tests "the documentation behind it" test_docs.py "$front/ptg"
    run_tests "the live page behind it" test_live.py "$front/lab/store" \
        test_a_wrong_password_is_told_and_the_right_one_opens_the_page test_signing_out_leaves_nothing_behind \
        test_an_empty_store_is_explained_and_its_three_lines_work test_push_by_drop test_create_describe_and_delete
fi
finish_own_store
