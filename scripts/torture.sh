#!/usr/bin/env bash
# The long tests against a release build, one after the other; prints figures. About two and a half hours, or 20 minutes with --short.
# scripts/torture.sh [--short] [NAME…]: only the tests whose names contain a NAME, such as soak.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

if [[ ${1:-} == --short ]]; then
    export PTG_TORTURE_SHORT=1
    shift
fi
need_rust
need_redis
# The store takes the hard limit by itself; the clients of 5,000 connections need as much.
ulimit -n "$(ulimit -Hn)"
say "the machine: $(nproc) cores, $(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) MiB, $(ulimit -n) open files"
cargo test --locked --release --test torture -- --ignored --nocapture --test-threads 1 "$@"
say "all of it passed in $SECONDS s"
