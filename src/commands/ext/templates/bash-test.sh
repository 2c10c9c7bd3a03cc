#!/usr/bin/env bash
# Tests soong-@NAME@, which is expected beside this file.
set -euo pipefail
program=$(cd "$(dirname "$0")" && pwd)/soong-@NAME@

expect() {
    local expected=$1 got
    shift
    got=$("$@") || true
    if [[ $got != "$expected" ]]; then
        printf 'failed: %s\nexpected: %s\ngot: %s\n' "$*" "$expected" "$got" >&2
        exit 1
    fi
}

expect 'hello, world' "$program"
expect 'HELLO, ANN' "$program" --shout ann
status=0
"$program" --nonsense 2>/dev/null || status=$?
expect 2 echo "$status"
expect $'--shout\tIn capital letters\n--help\tExplain the command\n:4' env SOONG_COMPLETE=1 "$program" --
expect $'world\tEverybody\nann\tYou\n:4' env SOONG_COMPLETE=1 USER=ann "$program" ''
echo 'all is well'
