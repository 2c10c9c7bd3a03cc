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
# Packages of real Python clients, as install-requirements.sh installs them here, for the Python of that system.
clients=$root-python-clients
if [ ! -e "$clients/complete" ]; then
    rm -rf "$clients"
    python=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    names=$(sed -n 's/^ *\(aiohttp==.*\)/\1/p' tests/install-requirements.sh)
    mkdir -p "$clients/bin"
    ln -s /usr/bin/python3 "$clients/bin/python"
    echo 'home = /usr/bin' >"$clients/pyvenv.cfg"
    # shellcheck disable=SC2086 # A word per package.
    pip3 install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action ignore --no-compile \
        --only-binary :all: --python-version "$python" --target "$clients/lib/python$python/site-packages" $names
    touch "$clients/complete"
fi
"${CARGO:-cargo}" build --bins --package soong --package soong-statusd
test=$("${CARGO:-cargo}" test --no-run --test it --message-format=json | sed -n 's/.*"executable":"\([^"]*it-[^"]*\)".*/\1/p')
# Tests that build or package need these: cargo would else compile everything with other settings, and rustup update itself.
settings=$(env | grep -E '^(CARGO|RUST)[A-Z_]*=[^[:space:]]*$' || :)
# In a worktree, the repository proper is elsewhere.
git=$(git rev-parse --path-format=absolute --git-common-dir)
# shellcheck disable=SC2016 # The expressions are those of the inner shell.
exec sh packaging/lock.sh "$suite" 'make test-in' unshare --mount --net --pid --fork --kill-child sh -euc '
    root=$1 repository=$2 path=$3 settings=$4 git=$5 clients=$6
    shift 6
    # A copy-on-write view: tests leave nothing behind.
    view=$root-view
    mkdir -p "$view"
    mount -t tmpfs tmpfs "$view"
    mkdir "$view/upper" "$view/work" "$view/root"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$view/upper,workdir=$view/work" "$view/root"
    root=$view/root
    for directory in "$repository" "$git" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}"; do
        mkdir -p "$root$directory"
        mount --bind "$directory" "$root$directory"
    done
    mount --bind "$clients" "$root$repository/target/tmp/python-clients-1"
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
    # The shell stays: as process 1, the tests would be no supervisor to the prompts. Background jobs of scripts, and
    # nohup, ignore signals that tests send.
    exec /usr/bin/env -i --default-signal HOME="$HOME" PATH="$path:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 \
        TERM=xterm $settings sh -c "cd \"\$0\" && \"\$@\"; exit \$?" "$repository" "$@"
' sh "$root" "$PWD" "${CARGO_HOME:-$HOME/.cargo}/bin" "$settings" "$git" "$clients" "$test" "$@"
