#!/bin/sh
# Installs, uses, upgrades and removes packages of target/dist in Debian roots, as packaging/use.sh describes.
#
#     sh packaging/check.sh [deb] [rpm] [installer] [arch] [brew] [crates]     all by default
#
# Needs root, debootstrap, and the packages of `make dist`; arch, brew and crates build from source. The roots are kept in
# target/roots. SUITES are the releases of Debian.
set -eu
cd "$(dirname "$0")/.."

suites=${SUITES:-bookworm trixie}
dist=$PWD/target/dist
check=$dist/check
roots=$PWD/target/roots
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# What use.sh types with, and the package managers under test.
tools='openssh-server bash-completion zsh fish man-db tmux socat curl iproute2 procps rpm pacman-package-manager
libnss-extrausers libnss-myhostname ca-certificates perl git make'

# Builds the tour of `make demo`, static, so that it runs in each root.
build_demo() {
    [ ! -e "$check/demo" ] || return 0
    target=$(uname -m)-unknown-linux-musl
    "${CARGO:-cargo}" build --quiet --example demo --target "$target"
    cp "${CARGO_TARGET_DIR:-target}/$target/debug/examples/demo" "$check/demo"
}

# Runs use.sh in a copy-on-write view of the root of suite $1, in new namespaces: no network but loopback.
in_root() {
    suite=$1
    shift
    # shellcheck disable=SC2086 # A word per package.
    sh packaging/lock.sh "$suite" 'make packages' sh packaging/root.sh "$suite" $tools
    build_demo
    view=$(mktemp -d)
    result=0
    # The expressions are those of the inner shell.
    # shellcheck disable=SC2016
    sh packaging/lock.sh "$suite" 'make packages' unshare --mount --net --pid --fork --kill-child sh -euc '
        root=$1 view=$2 check=$3 packaging=$4
        shift 4
        mount -t tmpfs tmpfs "$view"
        mkdir "$view/upper" "$view/work" "$view/root"
        mount -t overlay overlay -o "lowerdir=$root,upperdir=$view/upper,workdir=$view/work" "$view/root"
        mount -t proc proc "$view/root/proc"
        mount -t devtmpfs devtmpfs "$view/root/dev" 2>/dev/null || mount --rbind /dev "$view/root/dev"
        mkdir -p "$view/root/dev/pts" "$view/root/packages" "$view/root/packaging"
        mount -t devpts devpts -o newinstance,ptmxmode=666 "$view/root/dev/pts"
        mount --bind "$check" "$view/root/packages"
        mount --bind "$packaging" "$view/root/packaging"
        ip link set lo up
        # pacman measures the space on each file system.
        ln -sf /proc/self/mounts "$view/root/etc/mtab"
        # Not chroot: rpm runs scripts in a mount namespace, in which /proc would show the paths of programs outside.
        mkdir -p "$view/root/outside"
        cd "$view/root"
        pivot_root . outside
        exec chroot . sh -euc "
            umount --lazy /outside
            rmdir /outside
            exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=xterm-256color \
                bash /packaging/use.sh \"\$@\"
        " sh "$@"
    ' sh "$roots/$suite" "$view" "$check" "$PWD/packaging" "$@" || result=$?
    rmdir "$view"
    [ "$result" -eq 0 ] || {
        echo "check: $* failed in $suite" >&2
        exit 1
    }
}

# Copies a package into the folder that the root sees.
offer() {
    [ -e "$1" ] || {
        echo "check: no $1; build it: make dist" >&2
        exit 1
    }
    cp "$1" "$check/$2"
}

deb() {
    machine=$(dpkg --print-architecture)
    new=$dist/soong_$version-1_$machine.deb
    offer "$new" new.deb
    lintian --fail-on error,warning --info "$new"
    # The previous package: $PREVIOUS, or this one under a lower version.
    if [ -n "${PREVIOUS:-}" ]; then
        offer "$PREVIOUS" old.deb
    else
        rm -rf "$check/old"
        dpkg-deb -R "$check/new.deb" "$check/old"
        sed -i "s/^Version: .*/Version: $version~previous/" "$check/old/DEBIAN/control"
        dpkg-deb --root-owner-group -Zgzip -b "$check/old" "$check/old.deb" >/dev/null
        rm -r "$check/old"
    fi
    for suite in $suites; do in_root "$suite" deb; done
}

rpm_() {
    new=$dist/soong-$version-1.$(uname -m).rpm
    offer "$new" new.rpm
    rpm --checksig --nosignature "$new"
    rpmlint --strict --config packaging/rpmlint.toml "$new"
    for suite in $suites; do in_root "$suite" rpm; done
}

# Runs a command that builds soong. Not optimised: the package is under test, not its programs.
from_source() {
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_TARGET_DIR="$dist/../from-source" "$@"
}

# Builds the package of packaging/PKGBUILD.in as the user that makepkg asks for, in a namespace where root is that user.
arch() {
    build=$check/arch
    rm -rf "$build"
    mkdir -p "$build"
    cp "$dist/PKGBUILD" "$dist/soong.install" "$build/"
    (
        cd "$build"
        from_source env PKGDEST="$build" PKGEXT=.pkg.tar.zst \
            unshare --user --map-user=1000 --map-group=1000 makepkg --nodeps --clean
    )
    offer "$(echo "$build"/soong-*.pkg.tar.zst)" new.pkg.tar.zst
    for suite in $suites; do in_root "$suite" arch; done
}

brew() {
    ruby -wc "$dist/soong.rb"
    rubocop --config packaging/rubocop.yml "$dist/soong.rb" packaging/check-formula.rb
    # Where makepkg has built, so that cargo has nothing to do again.
    from_source ruby packaging/check-formula.rb "$dist/soong.rb" "$check/arch"
}

crates() {
    # Outside the repository, which cargo would take for its workspace.
    source=$(mktemp -d)
    # With the time of now: cargo would take programs that it built from other files for those of older ones.
    tar -xzmf "$dist/soong-$version.crate" -C "$source"
    from_source cargo install --quiet --locked --no-track --path "$source/soong-$version" --root "$check/cargo"
    rm -r "$source"
    "$check/cargo/bin/soong" init --man-pages
    man --manpath "$check/cargo/share/man" --where soong-tunnel
    "$check/cargo/bin/soong" help tunnel start | grep SYNOPSIS
}

installer() {
    offer "$dist/install.sh" install.sh
    archive=soong-$version-$(uname -m)-unknown-linux-musl.tar
    for kind in xz gz; do offer "$dist/$archive.$kind" "$archive.$kind"; done
    for suite in $suites; do in_root "$suite" installer; done
}

rm -rf "$check"
mkdir -p "$check"
[ $# -gt 0 ] || set -- deb rpm installer arch brew crates
for format; do
    case $format in
    deb | arch | brew | crates | installer) "$format" ;;
    rpm) rpm_ ;;
    *)
        echo "check: unknown format: $format" >&2
        exit 2
        ;;
    esac
done
