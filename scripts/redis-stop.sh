#!/usr/bin/env bash
# Stops the Redis on port 6789, and no other. Speaks to Redis itself, so redis-cli is not needed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if ! { exec 3<>/dev/tcp/127.0.0.1/6789; } 2>/dev/null; then
    say "no Redis on port 6789: nothing to stop"
    exit 0
fi

printf 'PING\r\n' >&3
read -r -t 5 answer <&3 || answer="no answer"
answer=${answer%$'\r'}
# One that cannot save to its disk says so when it is pinged.
[[ $answer == +PONG || $answer == -MISCONF* ]] || die "what listens on port 6789 is not a Redis that obeys us: $answer"

# The reply has five lines, the last of which is the folder; an error has one.
printf 'CONFIG GET dir\r\n' >&3
for line in 1 2 3 4 5; do
    read -r -t 5 data <&3 || break
    [[ $line$data == 1-* ]] && break
done
data=${data%$'\r'}
# Every store that looks after this Redis holds this lock.
if [[ -e $data/redis.users ]] && have flock && ! flock --nonblock "$data/redis.users" true; then
    die "a store uses the Redis on port 6789 and would start it again: end the store (Ctrl-C), which stops its Redis, too"
fi

# Redis hangs up when it is gone, so the end of the connection is what we wait for, or its reset, because QUIT is only read if
# it stays.
printf 'SHUTDOWN\r\nQUIT\r\n' >&3
answer=$(timeout 60 cat <&3 2>/dev/null) || (($? != 124)) || die "the Redis on port 6789 is still busy stopping after 60 s"
[[ -z $answer ]] || die "the Redis on port 6789 refused to stop: $answer"
say "stopped the Redis on port 6789"
