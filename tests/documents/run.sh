#!/usr/bin/env bash
# Holds the documents against the program: OpenAPI by Schemathesis on the live store, AsyncAPI by its official parser.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

need_rust
need_redis
need_tools_of "$here"
venv documents "$here/requirements.txt"

modules=$target/documents
if ! cmp -s "$here/package.json" "$modules/package.json"; then
    say "installing the AsyncAPI parser"
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$here/package.json" "$modules/"
    npm install --prefix "$modules" --no-package-lock --no-audit --no-fund --silent || { rm -rf "$modules"; die "npm failed"; }
fi

source "$here/../../scripts/own_store.sh"
start_own_store

parser() {
    curl -fsS "$url/asyncapi.json" >"$work/asyncapi.json"
    NODE_PATH=$modules/node_modules node "$here/validate.cjs" "$work/asyncapi.json"
}

# A fixed seed finds what it found before, another one what it has not found yet.
schemathesis() {
    local token seed
    token=$(curl -fsS "$url/token" -d username=ada -d password=ada | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    for seed in 1 "$RANDOM"; do
        if "$target/venv/documents/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.json" \
            --url "$url" --header "Authorization: Bearer $token" --checks all --phases examples,coverage,fuzzing \
            --max-examples 30 --seed "$seed" --continue-on-failure --no-color; then
            echo "ok schemathesis, seed $seed"
        else
            echo "not ok schemathesis, seed $seed"
            return 1
        fi
    done
}

run_part "the AsyncAPI parser" parser
run_part "Schemathesis" schemathesis
finish_own_store
