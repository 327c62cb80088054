#!/usr/bin/env bash
# The store as a shell uses it, with curl and websocat: test_websocat.sh URL
set -euo pipefail

url=${1:?the URL of the store}
ws=${url/#http/ws}
run=websocat-$$
token=$(curl -fsS "$url/token" -d username=test -d password=test | sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
work=$(mktemp -d)
made=()
failed=0

clean_up() {
    local stream
    rm -rf "$work"
    for stream in "${made[@]}"; do
        curl -fsS -o /dev/null -X DELETE "$url/streams/$stream?force=true&token=$token" || true
    done
}
trap clean_up EXIT

# ------------------------------------------------------------ what a shell needs

# websocat for ten seconds at most, so that a reply that does not come is a failure and not a wait for ever.
talk() { timeout 10 websocat "$@"; }

push() { echo "$ws/data/$1/push?token=$token${2:+&$2}"; }

pull() { echo "$ws/data/$1/pull?token=$token${2:+&$2}"; }

# All entries of a stream, one line each, in base64.
stored() {
    local length
    length=$(curl -fsS "$url/streams/$1?token=$token" | sed -n 's/.*"length" *: *\([0-9]*\).*/\1/p')
    [[ $length ]] || return 0
    talk --base64 --unidirectional-reverse --no-close --max-messages-rev $((2 * length)) "$(pull "$1" last_entry_id=0)" |
        sed -n '2~2p'
}

is() { # what it is, what it should be
    [[ $1 == "$2" ]] || {
        printf 'expected: %q\n     got: %q\n' "$2" "$1" >&2
        return 1
    }
}

is_id() { # text
    [[ $1 =~ ^[0-9]+-[0-9]+$ ]] || {
        printf 'not an entry id: %q\n' "$1" >&2
        return 1
    }
}

# ------------------------------------------------------------ the tests; each has a stream of its own

test_push_a_line_as_text() {
    printf 'hello store\n' | talk --text "$(push "$1")"
    is "$(stored "$1")" "$(printf 'hello store\n' | base64)"
}

test_push_a_file_as_one_entry() {
    head -c 3000000 /dev/urandom >"$work/picture"
    talk --binary -B 67108864 "$(push "$1")" <"$work/picture"
    curl -fsS "$url/data/$1" -H "Authorization: Bearer $token" | cmp - "$work/picture"
}

test_push_a_file_with_ack() {
    local id
    head -c 200000 /dev/urandom >"$work/picture"
    id=$(talk --binary --no-close --one-message -B 67108864 "$(push "$1" ack=true)" <"$work/picture")
    is_id "$id"
    curl -fsS -D "$work/head" "$url/data/$1" -H "Authorization: Bearer $token" | cmp - "$work/picture"
    grep -qi "^entry-offset: *\[\[\"$id\", *0\]\]" "$work/head"
}

# websocat's lengthprefixed: takes messages as four bytes of length, then that many bytes.
frame() { # message
    local LC_ALL=C hex
    printf -v hex '%08x' ${#1}
    printf '%b%s' "\\x${hex:0:2}\\x${hex:2:2}\\x${hex:4:2}\\x${hex:6:2}" "$1"
}

test_push_many_over_one_socket() {
    local number
    for number in {1..300}; do
        frame "entry $number, "
    done | talk --binary --unidirectional lengthprefixed:- "$(push "$1")"
    is "$(stored "$1" | base64 -d)" "$(printf 'entry %d, ' {1..300})"
}

# A batch is a text message and a binary one, which B: tells apart here.
test_push_a_batch() {
    { frame 0,3,3; frame B:onethree; } |
        talk --text --binary-prefix B: lengthprefixed:- "$(push "$1" batch=true)"
    is "$(stored "$1")" "$(printf one | base64)"$'\n\n'"$(printf three | base64)"
}

test_push_a_batch_with_ack() {
    local ids id
    ids=$({ frame 0,1,2; frame B:abc; } |
        talk --text --binary-prefix B: --no-close --max-messages-rev 1 \
            lengthprefixed:- --lengthprefixed-skip-write-direction "$(push "$1" 'batch=true&ack=true')")
    is "$(tr -cd , <<<"$ids")" ",,"
    for id in ${ids//,/ }; do is_id "$id"; done
    is "$(stored "$1" | base64 -d)" abc
}

test_pull_the_newest_then_what_follows() {
    curl -fsS -o /dev/null "$url/data/$1?token=$token" -F entries=one -F entries=two -F entries=three
    : >"$work/pulled"
    talk --base64 --unidirectional-reverse --no-close --max-messages-rev 4 "$(pull "$1" 'last_entry_id=*&count=2')" >>"$work/pulled" &
    await_lines 2 "$work/pulled"
    curl -fsS -o /dev/null "$url/data/$1?token=$token" -F entries=four
    wait $!
    is "$(sed -n '2~2p' "$work/pulled" | base64 -d)" twothreefour
}

test_pull_waits_for_a_stream_that_does_not_exist_yet() {
    talk --base64 --unidirectional-reverse --no-close --max-messages-rev 2 "$(pull "$1" last_entry_id=0)" >"$work/pulled" &
    curl -fsS -o /dev/null "$url/data/$1?token=$token" -F entries=first
    wait $!
    is "$(sed -n 2p "$work/pulled" | base64 -d)" first
}

test_a_bad_token_is_refused() {
    local answer
    answer=$(talk "${url/#http/ws}/data/$1/push?token=forged" </dev/null 2>&1) && return 1
    grep -q 401 <<<"$answer"
}

await_lines() { # number, file
    local deadline=$((SECONDS + 10))
    until (($(wc -l <"$2") >= $1)); do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# ------------------------------------------------------------ running them

websocat --version | sed 's/^/# /'
for test in $(compgen -A function test_); do
    stream=$run-${test//_/-}
    made+=("$stream")
    # A shell of its own, as set -e is off inside a condition.
    set +e
    (set -e && "$test" "$stream")
    code=$?
    set -e
    if ((code == 0)); then
        echo "ok $test"
    else
        echo "not ok $test"
        failed=1
    fi
done
exit $failed
