#!/bin/sh
# Runs the integration tests, built here, in a root of another Debian release: its OpenSSH, shells and tools.
#
#     sh packaging/test-in.sh SUITE [ARGUMENT...]     arguments of the tests, such as a filter
#
# Needs root and debootstrap. The repository, cargo and rustup appear at the same paths there.
set -eu
cd "$(dirname "$0")/.."

suite=$1
shift
root=$PWD/target/roots/$suite
packages=$(sed -n '/<<.END.$/,/^END$/s/^[a-z0-9-]*  *\([a-z0-9-]*\)  *[a-z0-9-]*$/\1/p' tests/install-requirements.sh | sort -u)
# shellcheck disable=SC2086 # A word per package.
sh packaging/lock.sh "$suite" 'make test-in' \
    sh packaging/root.sh "$suite" $packages bash-completion gcc libc6-dev procps psmisc
sh tests/install-requirements.sh
"${CARGO:-cargo}" build --bins --package soong --package soong-statusd
test=$("${CARGO:-cargo}" test --no-run --test it --message-format=json | sed -n 's/.*"executable":"\([^"]*it-[^"]*\)".*/\1/p')
# Tests that build or package need these: cargo would else compile everything with other settings, and rustup update itself.
settings=$(env | grep -E '^(CARGO|RUST)[A-Z_]*=[^[:space:]]*$' || :)
# In a worktree, the repository proper is elsewhere.
git=$(git rev-parse --path-format=absolute --git-common-dir)
# shellcheck disable=SC2016 # The expressions are those of the inner shell.
exec sh packaging/lock.sh "$suite" 'make test-in' unshare --mount --net --pid --fork --kill-child sh -euc '
    root=$1 repository=$2 path=$3 settings=$4 git=$5
    shift 5
    # Tests make mount namespaces of their own, which needs a root that is a mount point.
    mount --bind "$root" "$root"
    for directory in "$repository" "$git" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}"; do
        mkdir -p "$root$directory"
        mount --bind "$directory" "$root$directory"
    done
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    ip link set lo up
    # The status daemon looks there for logins; without systemd, it would take them for unknown.
    mkdir -p "$root/outside" "$root/run/systemd/sessions"
    cd "$root"
    pivot_root . outside
    umount --lazy /outside
    # The shell stays: as process 1, the tests would be no supervisor to the prompts. Jobs in the background of a script
    # ignore these signals, which tests send.
    exec /usr/bin/env -i --default-signal=INT,QUIT HOME="$HOME" PATH="$path:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 \
        TERM=xterm $settings sh -c "cd \"\$0\" && \"\$@\"; exit \$?" "$repository" "$@"
' sh "$root" "$PWD" "${CARGO_HOME:-$HOME/.cargo}/bin" "$settings" "$git" "$test" "$@"
