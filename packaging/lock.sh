#!/bin/sh
# Runs a command while no other process holds the lock NAME. While it waits for the lock, it prints who holds it: the
# HOLDER of the other call.
#
#     sh packaging/lock.sh NAME HOLDER COMMAND [ARGUMENT...]
#
# `make packages` and `make test-in` use the same roots: the name of a lock is a Debian release.
set -eu
cd "$(dirname "$0")/.."

name=$1
holder=$2
shift 2
mkdir -p target/roots
lock=target/roots/$name.lock
exec 9>>"$lock"
if ! flock --nonblock 9; then
    echo "lock: $name is in use by $(cat "$lock"); waiting for it" >&2
    flock 9
fi
echo "$holder (PID $$)" >"$lock"
# Only this shell holds the lock, not what the command leaves running.
"$@" 9>&-
