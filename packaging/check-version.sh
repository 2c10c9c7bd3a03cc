#!/bin/sh
# Checks that the version of a tag stands wherever set-version.sh writes it, and writes the part of the changelog for the
# release to target/release-notes.md.
#
#     sh packaging/check-version.sh v0.2.0
set -eu
cd "$(dirname "$0")/.."

tag=$1
version=${tag#v}
fail() {
    echo "check-version: $*" >&2
    echo "hint: sh packaging/set-version.sh $version" >&2
    exit 1
}

for manifest in Cargo.toml crates/soong-statusd/Cargo.toml; do
    found=$(sed -n 's/^version = "\(.*\)"/\1/p' "$manifest" | head -n 1)
    [ "$found" = "$version" ] || fail "$manifest has version $found, the tag is $tag"
done
for package in soong soong-statusd; do
    found=$(sed -n "/^name = \"$package\"\$/{n;s/^version = \"\(.*\)\"/\1/p;}" Cargo.lock)
    [ "$found" = "$version" ] || fail "Cargo.lock has version $found of $package, the tag is $tag"
done
for page in man/soong*.1 man/soong-config.5 man/soong-statusd.8; do
    grep -q "^\.TH .* \"soong $version\" " "$page" || fail "$page is of another version, the tag is $tag"
done
for page in README.md docs/installation.md; do
    found=$(grep -o 'soong[-_][0-9]*\.[0-9]*\.[0-9]*' "$page" | grep -v "[-_]$version\$" | head -n 1)
    [ -z "$found" ] || fail "$page names $found, the tag is $tag"
done
grep -q "^## \[$version\] - [0-9-]*\$" CHANGELOG.md || fail "CHANGELOG.md has no heading '## [$version] - DATE'"
mkdir -p target
sed -n "/^## \[$version\]/,/^## \[/p" CHANGELOG.md | sed -e 1d -e '/^## \[/d' >target/release-notes.md
grep -q '[a-z]' target/release-notes.md || fail "CHANGELOG.md says nothing about $version"
