#!/bin/sh
# Checks that a tag, the manifests and the changelog have the same version, and writes the part of the changelog for the
# release to target/release-notes.md.
#
#     sh packaging/check-version.sh v0.1.0
set -eu
cd "$(dirname "$0")/.."

tag=$1
version=${tag#v}
fail() {
    echo "check-version: $*" >&2
    exit 1
}

for manifest in Cargo.toml crates/soong-statusd/Cargo.toml; do
    found=$(sed -n 's/^version = "\(.*\)"/\1/p' "$manifest" | head -n 1)
    [ "$found" = "$version" ] || fail "$manifest has version $found, the tag is $tag"
done
grep -q "^## \[$version\] - [0-9-]*\$" CHANGELOG.md || fail "CHANGELOG.md has no heading '## [$version] - DATE'"
mkdir -p target
sed -n "/^## \[$version\]/,/^## \[/p" CHANGELOG.md | sed -e 1d -e '/^## \[/d' >target/release-notes.md
grep -q '[a-z]' target/release-notes.md || fail "CHANGELOG.md says nothing about $version"
