#!/usr/bin/env bash
# Every check and test. Installs what they need; ends with code 0 only if all passed.
# Usage: scripts/test.sh [STEP…]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"
exec 2>&1

all=(format lints dependencies tests scripts redis clients examples documents browser)

usage() {
    cat <<EOT
Usage: scripts/test.sh [STEP…]
Runs these steps, or all of them in this order, and stops at the first that fails:

  format        cargo fmt --check
  lints         cargo clippy, warnings are errors
  dependencies  cargo deny: licences, crates that come twice, where they are from
  tests         cargo test: unit, property and integration tests; needs port 6789
  scripts       bash reads every script
  redis         redis-start.sh and redis-stop.sh; needs port 6789
  clients       Python's requests and websockets, the Python server's client, websocat
  examples      the examples of README.md and docs/
  documents     OpenAPI by Schemathesis, AsyncAPI by its parser
  browser       the pages in a headless Chromium

What is missing is installed with apt-get, cargo, pip and npm: tools by root or sudo, everything else below target/.
All of it takes about 10 minutes on 2 cores, half as long again the first time, and 4 GB.
To try it with another Redis: scripts/test_with.sh --help.
EOT
}

step_format() { cargo fmt --check; }
step_lints() { cargo clippy --locked --all-targets -- -D warnings; }
step_dependencies() { tests/dependencies/run.sh; }
step_tests() { cargo test --locked; }
step_clients() { tests/clients/run.sh; }
step_examples() { tests/examples/run.sh; }
step_documents() { tests/documents/run.sh; }
step_browser() { tests/browser/run.sh; }

step_scripts() {
    local script
    for script in scripts/*.sh tests/*/*.sh .ci/run; do
        bash -n "$script"
    done
}

step_redis() {
    local data
    data=$(mktemp -d)
    scripts/redis-start.sh --dir "$data" --daemonize yes
    await 10 redis_port_taken
    scripts/redis-stop.sh
    rm -r "$data"
    if redis_port_taken; then die "redis-stop.sh left Redis running"; fi
}

# Says what is missing or in the way before anything takes long.
prepare() {
    local name tools=()
    need_rust
    for name; do
        # shellcheck disable=SC2207
        if [[ -f tests/$name/tools ]]; then tools+=($(cat "tests/$name/tools")); fi
        if [[ $name == tests || $name == redis ]] && redis_port_taken; then
            die "something listens on port 6789, which the step '$name' needs: stop the store that runs (Ctrl-C)," \
                "or a Redis by hand with scripts/redis-stop.sh"
        fi
    done
    need_tools "${tools[@]}"
    need_redis
}

steps=()
for argument; do
    case " ${all[*]} " in
    *" $argument "*) steps+=("$argument") ;;
    *)
        if [[ $argument == -h || $argument == --help ]]; then
            usage
            exit 0
        fi
        die "there is no step '$argument'; the steps are: ${all[*]}"
        ;;
    esac
done
((${#steps[@]} > 0)) || steps=("${all[@]}")

step=prepare
finish() {
    local code=$?
    if ((code == 0)); then
        say "all steps passed in $SECONDS s: ${steps[*]}"
    else
        say "FAILED at step: $step"
    fi
}
trap finish EXIT

prepare "${steps[@]}"
for step in "${steps[@]}"; do
    say "$step"
    "step_$step"
done
