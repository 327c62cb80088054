#!/usr/bin/env bash
# Runs the pages in a headless Chromium against a store and a Redis of their own, started here and stopped at the end.
# run.sh [TEST…] runs only those of test_live.py, for example: tests/browser/run.sh test_sign_out
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
run_part "the live page" "$target/venv/browser/bin/python" "$here/test_live.py" "$url" "$@"
(($# > 0)) || run_part "the documentation" "$target/venv/browser/bin/python" "$here/test_docs.py" "$url"
finish_own_store
