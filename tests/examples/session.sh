# shellcheck shell=bash
# session.sh EXAMPLE STATE: executes an example in the state that the one before it left: variables, functions, folder.
# Ends with the status of the first command that fails.

# Bash's own read-only variables are in there too, and cannot be set.
source "$2" 2>/dev/null
_example=$1 _state=$2
set --

_save_state() {
    { declare -p && declare -f && printf 'cd %q\n' "$PWD"; } >"$_state.new" && mv "$_state.new" "$_state"
}

# A pipeline whose reader has seen enough does not fail: `curl … | head -n 1` ends with 23 | 0, others with 141 | 0.
_judge() { # line, the statuses of the pipeline
    local line=$1 last=${!#} status
    # Of the source below: what it returns was judged inside.
    [[ ${BASH_SOURCE[1]} != "$0" ]] || return 0
    for status in "${@:2:$#-2}"; do
        if ((status != 0 && status != 23 && status != 141)); then last=$status; fi
    done
    if ((last != 0)); then
        printf '%s: line %d: ended with %d\n' "${_example##*/}" "$line" "$last" >&2
        exit "$last"
    fi
}

trap _save_state EXIT
set -E -o pipefail
if [[ $_example == *.py ]]; then
    python3 "$_example"
else
    trap '_judge "$LINENO" "${PIPESTATUS[@]}"' ERR
    source "$_example"
    exit 0
fi
