#!/bin/sh
# Installs what the benchmarks compare soong with, as far as Debian or Ubuntu has it and this is root; otherwise the
# report says what was missing. Also a crate that is built in a minute or two, into target/bench/peers; with --all those
# that take longer.
set -u
cd "$(dirname "$0")/.." || exit 1

PATH=$PATH:/usr/sbin:/sbin
peers=${CARGO_TARGET_DIR:-target}/bench/peers

# Prints the packages of one kind whose programs are missing.
missing() {
    sed '/^#/d' benches/peers.txt | while read -r program kind package; do
        [ "$kind" = "$1" ] || continue
        command -v "$program" >/dev/null || [ -x "$peers/bin/$program" ] || echo "$package"
    done
}

packages=$(missing apt)
if [ -n "$packages" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update
    # One by one: a distribution that lacks one of them may have the others.
    for package in $packages; do
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$package" || true
    done
fi
crates=$(missing cargo)
[ "${1:-}" != --all ] || crates="$crates $(missing slow)"
for crate in $crates; do
    "${CARGO:-cargo}" install --locked --root "$peers" --target-dir "$peers/build" "$crate" || true
done
exit 0
