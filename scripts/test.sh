#!/usr/bin/env bash
# Every check and test. Installs what they need; ends with code 0 only if all passed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"
exec 2>&1

step=start
finish() {
    local code=$?
    if ((code == 0)); then
        say "all steps passed in $SECONDS s:$passed"
    else
        say "FAILED at step: $step"
    fi
}
trap finish EXIT

passed=
step() { # name, command…
    step=$1
    shift
    say "$step: $*"
    "$@"
    passed+=" $step"
}

check_scripts() {
    local script
    for script in scripts/*.sh tests/*/*.sh .ci/run; do
        bash -n "$script"
    done
}

check_redis_scripts() {
    local data
    if redis_port_taken; then
        say "port 6789 is in use, so redis-start.sh and redis-stop.sh are not tried"
        return
    fi
    data=$(mktemp -d)
    scripts/redis-start.sh --dir "$data" --daemonize yes
    await 10 redis_port_taken
    scripts/redis-stop.sh
    rm -r "$data"
    if redis_port_taken; then die "redis-stop.sh left Redis running"; fi
}

need_rust
need_redis
step format cargo fmt --check
step lints cargo clippy --locked --all-targets -- -D warnings
step tests cargo test --locked
step scripts check_scripts
step redis check_redis_scripts
step clients tests/clients/run.sh
step examples tests/examples/run.sh
step documents tests/documents/run.sh
step browser tests/browser/run.sh
