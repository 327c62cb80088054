#!/usr/bin/env bash
# Sends real files through a running store and back, and shows that every byte returned.
# Usage: scripts/demo.sh [--keep] [URL of the store] [folder of files]
# Without a folder it fetches two Python packages (57 MB, once) that ship pictures, sounds and JSON.
# --keep leaves the demo's streams in the store.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
exec 2>&1

keep=
url=${PTG_URL:-http://127.0.0.1:7890}
folder=
for argument; do
    case $argument in
    --keep) keep=yes ;;
    http://*) url=${argument%/} ;;
    -*) die "unknown flag $argument; usage: demo.sh [--keep] [URL] [FOLDER]" ;;
    *) folder=$argument ;;
    esac
done
ws=${url/#http/ws}
user=${PTG_USER:-demo}
password=${PTG_PASSWORD:-$user}

need_tools curl curl
need_websocat
venv clients "$repo/tests/clients/requirements.txt"
python=$target/venv/clients/bin/python
curl -fsS --max-time 5 -o /dev/null "$url/ping" || die "no store answers at $url: start one with scripts/run.sh"

# ---------------------------------------------------------------- the files

# The version for Python and machine is fixed, because only the data inside is used.
fetch_files() {
    local packages=$target/demo/packages
    say "fetching real files from PyPI: pictures of scikit-image, sprites, sounds and maps of arcade"
    rm -rf "$folder" "$packages"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$packages" \
        --python-version 3.12 --implementation cp --platform manylinux_2_28_x86_64 --only-binary :all: \
        scikit-image==0.26.0 arcade==3.3.3
    "$python" - "$folder.new" "$packages"/*.whl <<'PYTHON'
import re, sys, zipfile

folder, *wheels = sys.argv[1:]
data = re.compile(r"(skimage/data|arcade/resources/assets)/.*\.(png|jpg|gif|tif|npy|npz|wav|mp3|ogg|mp4|json)$")
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, filter(data.match, archive.namelist()))
PYTHON
    mv "$folder.new" "$folder"
    rm -rf "$packages"
}

if [[ -z $folder ]]; then
    folder=$target/demo/files
    [[ -d $folder ]] || fetch_files
fi
[[ -d $folder ]] || die "no folder $folder"

# Empty files and those over the store's limit stay at home: websocat cannot send the one, the store refuses the other.
json=() sounds=() others=()
while IFS= read -r -d '' file; do
    case ${file,,} in
    *.json) json+=("$file") ;;
    *.wav | *.mp3 | *.ogg | *.flac | *.m4a) sounds+=("$file") ;;
    *) others+=("$file") ;;
    esac
done < <(find "$folder" -type f -size +0 -size -65536k -print0 | LC_ALL=C sort -zr)
singles=("${others[@]:0:40}")
frames=("${others[@]:40}")
say "files: ${#singles[@]} one by one, ${#frames[@]} over one socket, ${#sounds[@]} sounds, ${#json[@]} JSON"

# ---------------------------------------------------------------- worked examples

sign_in() {
    curl -fsS "$url/token" -d "username=$user" --data-urlencode "password=$password" |
        sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/'
}

create_stream() { # stream, most entries
    curl -fsS -o /dev/null -X PUT "$url/streams/$1?desc=made+by+demo.sh&max_len=$2" -H "Authorization: Bearer $token" ||
        die "cannot create the stream $1; if an earlier demo left it, delete it first"
}

delete_stream() { # stream
    curl -fsS -o /dev/null -X DELETE "$url/streams/$1?force=true" -H "Authorization: Bearer $token"
}

# Each file is one message: -B must exceed the file, or websocat cuts it. With -n it waits for the answer, the entry id.
push_one_by_one() { # stream, files…
    local stream=$1 file
    shift
    for file; do
        websocat --binary --no-close --one-message -B 67108864 "$ws/data/$stream/push?ack=true&token=$token" <"$file"
        echo
    done
}

# All files over one socket. websocat's lengthprefixed: takes messages as four bytes of length, then the bytes.
push_over_one_socket() { # stream, files…
    local stream=$1
    shift
    with_lengths "$@" |
        websocat --binary --unidirectional -B 67108864 lengthprefixed:- "$ws/data/$stream/push?token=$token"
}

with_lengths() { # files…
    local file size hex
    for file; do
        size=$(stat -Lc %s -- "$file")
        printf -v hex '%08x' "$size"
        printf '%b' "\\x${hex:0:2}\\x${hex:2:2}\\x${hex:4:2}\\x${hex:6:2}"
        cat -- "$file"
    done
}

# Several files to a request, each a part named "entries"; a new request before the body grows past its limit.
push_with_curl_form() { # stream, files…
    local stream=$1 file size total=0 parts=()
    shift
    for file; do
        size=$(stat -Lc %s -- "$file")
        if ((${#parts[@]} > 0 && total + size > 32 * 1024 * 1024)); then
            post_parts "$stream" "${parts[@]}"
            parts=() total=0
        fi
        file=${file//\\/\\\\} # curl takes a quoted name as C does
        parts+=(-F "entries=@\"${file//\"/\\\"}\"")
        ((total += size))
    done
    post_parts "$stream" "${parts[@]}"
}

post_parts() { # stream, curl's -F arguments…
    local stream=$1
    shift
    curl -fsS "$url/data/$stream" -H "Authorization: Bearer $token" "$@"
    echo
}

# One file is one request: the body is the entry.
push_with_curl_body() { # stream, files…
    local stream=$1 file
    shift
    for file; do
        curl -fsS "$url/data/$stream" -H "Authorization: Bearer $token" \
            -H 'Content-Type: application/json' --data-binary "@$file"
        echo
    done
}

# websocat prints two lines an entry, its id and its bytes in base64; each second line becomes a file.
pull_with_websocat() { # stream, number of entries, folder
    timeout 120 websocat --base64 --unidirectional-reverse --no-close --max-messages-rev $((2 * $2)) -B 134217728 \
        "$ws/data/$1/pull?last_entry_id=0&token=$token" |
        sed -n '2~2p' |
        split --lines=1 --numeric-suffixes --suffix-length=6 --filter='base64 -d >"$FILE"' - "$3/"
}

pull_with_python() { # stream, number of entries, folder
    PTG_TOKEN=$token "$python" "$repo/scripts/pull.py" "$url" "$1" "$2" "$3"
}

# ---------------------------------------------------------------- there and back

# Prints how many files and bytes went how fast.
rate() { # label, microseconds, files…
    local label=$1 time=$2 bytes
    shift 2
    bytes=$(cat "$@" | wc -c)
    ((time = time > 0 ? time : 1))
    printf '   %-32s %5d files %9d KiB  %6d files/s  %5d.%d MiB/s\n' "$label" $# $((bytes / 1024)) \
        $(($# * 1000000 / time)) $((bytes * 1000000 / time >> 20)) $(((bytes * 10000000 / time >> 20) % 10))
}

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

# Sends files one way, fetches them the other way, and compares their checksums in order.
there_and_back() { # stream, how to push, how to pull, files…
    local stream=$1 push=$2 pull=$3 back=$work/$1 start middle end
    shift 3
    (($# > 0)) || return 0
    mkdir "$back"
    create_stream "$stream" "$((10 * $# + 1000))"
    made+=("$stream")
    say "$stream: $push, $pull"
    start=$(microseconds)
    "$push" "$stream" "$@" >"$work/ids"
    middle=$(microseconds)
    "$pull" "$stream" $# "$back"
    end=$(microseconds)
    rate "there: $push" $((middle - start)) "$@"
    rate "back: $pull" $((end - middle)) "$back"/*
    # The same sums in the same order: nothing was lost, doubled, cut or swapped.
    if ! diff <(sha256sum -- "$@" | checksums) <(sha256sum -- "$back"/* | checksums) >"$work/difference"; then
        die "$stream: what came back differs: $(head -n 3 "$work/difference")"
    fi
    ((total += $#))
    say "$stream: $# of $# came back with the same SHA-256"
}

checksums() { sed 's/^\\//; s/ .*//'; }

work=$(mktemp -d)
made=()
total=0
clean_up() {
    local stream
    rm -rf "$work"
    [[ $keep ]] && return
    for stream in "${made[@]}"; do
        delete_stream "$stream" || true
    done
}
trap clean_up EXIT

say "signing in as $user"
token=$(sign_in)
there_and_back demo-pictures push_one_by_one pull_with_websocat "${singles[@]}"
there_and_back demo-frames push_over_one_socket pull_with_python "${frames[@]}"
there_and_back demo-sounds push_with_curl_form pull_with_python "${sounds[@]}"
there_and_back demo-json push_with_curl_body pull_with_websocat "${json[@]}"

if [[ $keep ]]; then
    say "kept the streams ${made[*]}; delete one: curl -X DELETE '$url/streams/NAME?token=…'"
fi
say "all $total files came back byte for byte"
