#!/usr/bin/env bash
# Builds the store and serves it on 127.0.0.1:7890. Installs a Redis server and a C linker if there is none.
# Usage: scripts/run.sh [flags of ptg-store; --help lists them]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_rust
need_redis
say "using $(find_redis)"

say "building the release binary"
(cd "$repo" && cargo build --release --locked)

# The data stays in one place, from wherever this script is called.
case " $* " in
*" --data-dir"[\ =]*) ;;
*) set -- --data-dir "$repo/ptg-data" "$@" ;;
esac

say "starting: ptg-store $*"
exec "$target/release/ptg-store" "$@"
