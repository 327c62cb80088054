#!/usr/bin/env bash
# Executes the examples of README.md and docs/*.md against a store and a Redis of their own, started here and stopped at
# the end. run.sh FILE[:LINE]… executes only those; run.sh --list shows them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need_tools_of "$here"
need_websocat
venv clients "$here/../clients/requirements.txt"
python=$target/venv/clients/bin/python

say "the runner's own tests"
"$python" -m unittest discover --quiet --start-directory "$here"

cd "$repo"
shopt -s nullglob
documents=("$@")
if [[ $* == '' || $* == --list ]]; then documents+=(README.md docs/*.md tests/examples/README.md); fi
if [[ ${1-} == --list ]]; then exec "$python" "$here/run_examples.py" "${documents[@]}"; fi

source "$here/../../scripts/own_store.sh"
redis_port=$(free_port)
start_own_store
run_part "examples" "$python" "$here/run_examples.py" --url "$url" --redis "127.0.0.1:$redis_port" \
    --bin "$target/debug" --delete-streams "${documents[@]}"
finish_own_store
