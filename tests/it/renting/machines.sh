#!/bin/sh
# A provider whose machine is a network and PID namespace with an SSH server, at the other end of a cable. The sample
# provider keeps the list; "launch" starts the machine, and "terminate" ends it by the PID that "launch" has recorded.
#
# MACHINE is a directory with sshd_config and its keys, HERE and THERE are the addresses at the ends of the cable.
set -eu
sample=$(dirname "$0")/sample

fail() {
    printf '{"error": {"code": "other", "message": "%s"}}\n' "$1"
    printf 'soong-provider-static: %s\n' "$1" >&2
    exit 1
}

# Waits until the command succeeds, for ten seconds.
within() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || fail "no success within 10 s: $*"
        sleep 0.05
    done
}

is_apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

# A zombie has no command line.
is_gone() { ! grep -qs . "/proc/$1/cmdline"; }

connect() {
    ip address add "$1/24" dev cable
    ip link set cable up
}

# Runs as the first process of the machine.
boot() {
    ip link set lo up
    within ip link show cable
    connect "$THERE"
    "$MACHINE/user-data" &
    exec "$(command -v sshd)" -D -e -f "$MACHINE/sshd_config"
}

launch() {
    order=$(cat)
    printf '%s' "$order" | "$sample" launch >"$MACHINE/answer" || {
        cat "$MACHINE/answer"
        exit 1
    }
    printf '%s' "$order" | python3 -c 'import json, sys; print(json.load(sys.stdin)["user_data"], end="")' \
        >"$MACHINE/user-data"
    chmod 700 "$MACHINE/user-data"
    setsid unshare --net --pid --fork --kill-child "$0" boot "$MACHINE" </dev/null >>"$MACHINE/log" 2>&1 &
    pid=$!
    echo "$pid" >"$MACHINE/pid"
    within is_apart "$pid"
    ip link add cable type veth peer name cable netns "$pid"
    connect "$HERE"
    cat "$MACHINE/answer"
}

terminate() {
    pid=$(cat "$MACHINE/pid")
    kill -KILL "$pid"
    within is_gone "$pid"
    exec "$sample" terminate
}

case ${1-} in
boot) boot ;;
launch) launch ;;
terminate) terminate ;;
*) exec "$sample" "$@" ;;
esac
