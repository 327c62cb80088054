# shellcheck shell=bash
# A store and a Redis of a test's own, on free addresses. Source it after lib.sh; both end with the script.
# Sets $url, and $work, a folder for the test that is removed at the end.

work=$(mktemp -d)
store='' redis='' url='' failed=0

# Set it to free_port to have Redis listen there too.
redis_port=0

stop_own() {
    local pid
    for pid in $store $redis; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" || true
    done
    rm -rf "$work"
}

# Below the ports that the system gives to clients, so that none of theirs can take it before its user does.
free_port() {
    local port
    port=$((20000 + RANDOM % 10000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done
    echo "$port"
}

store_address() { grep -om 1 'http://127\.0\.0\.1:[0-9]*' "$work/store.log"; }

start_own_store() {
    (cd "$repo" && cargo build --quiet --locked)
    trap stop_own EXIT
    # A Unix socket cannot collide with another Redis, as a port could.
    "$(find_redis)" --bind 127.0.0.1 --port "$redis_port" --unixsocket "$work/redis.sock" --dir "$work" \
        --save '' --appendonly no >"$work/redis.log" 2>&1 &
    redis=$!
    await 10 test -S "$work/redis.sock" || die "Redis did not start: $(cat "$work/redis.log")"
    "$target/debug/ptg-store" --listen 127.0.0.1:0 --redis "redis+unix://$work/redis.sock" 2>"$work/store.log" &
    store=$!
    await 10 store_address >/dev/null || die "the store did not start: $(cat "$work/store.log")"
    url=$(store_address)
    await 10 curl -fsS -o /dev/null "$url/ping" || die "the store does not answer: $(cat "$work/store.log")"
}

# What it is, command…: its lines 'ok …' and 'not ok …' are counted.
run_part() {
    say "$1"
    "${@:2}" 2>&1 | tee -a "$work/results" || failed=1
}

count_results() { grep -c "^$1 " "$work/results" || true; }

# Stops the store, which must end well, and ends the script with the count of the parts.
finish_own_store() {
    say "stopping the store"
    kill "$store"
    wait "$store" || { say "the store ended with code $?"; failed=1; }
    store=''
    if grep -i 'panicked' "$work/store.log"; then failed=1; fi
    ((failed == 0)) || tail -n 50 "$work/store.log" >&2
    printf '%d passed, %d failed, %d skipped\n' "$(count_results ok)" "$(count_results 'not ok')" "$(count_results skipped)"
    exit "$failed"
}
