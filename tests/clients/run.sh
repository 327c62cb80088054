#!/usr/bin/env bash
# Runs other people's clients against a store and a Redis of their own, started here and stopped at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need_tools_of "$here"
need_websocat
venv clients "$here/requirements.txt"
venv clients-old "$here/requirements-old.txt"

source "$here/../../scripts/own_store.sh"
start_own_store
run_part "requests and current websockets" "$target/venv/clients/bin/python" "$here/test_clients.py" "$url"
run_part "requests and websockets 10.1" "$target/venv/clients-old/bin/python" "$here/test_clients.py" "$url"
run_part "the original's client, current websockets" "$target/venv/clients/bin/python" "$here/test_v2.py" "$url"
run_part "the original's client, websockets 10.1" "$target/venv/clients-old/bin/python" "$here/test_v2.py" "$url"
run_part "curl and websocat" bash "$here/test_websocat.sh" "$url"
finish_own_store
