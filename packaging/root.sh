#!/bin/sh
# Makes sure of a root of a Debian release in target/roots, with more packages.
#
#     sh packaging/root.sh SUITE [PACKAGE...]
set -eu
cd "$(dirname "$0")/.."

suite=$1
shift
root=$PWD/target/roots/$suite
if [ ! -e "$root/etc/debian_version" ]; then
    command -v debootstrap >/dev/null || {
        echo 'root: debootstrap is not installed; install it: apt-get install debootstrap' >&2
        exit 1
    }
    debootstrap --variant=minbase "$suite" "$root"
    # Installing a server does not start it.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
fi
missing=''
for package; do
    chroot "$root" dpkg --status "$package" 2>/dev/null | grep -q '^Status: install ok installed$' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
cp /etc/resolv.conf "$root/etc/"
chroot "$root" apt-get update --quiet
# shellcheck disable=SC2086 # A word per package.
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install --quiet --yes --no-install-recommends $missing
chroot "$root" apt-get clean
