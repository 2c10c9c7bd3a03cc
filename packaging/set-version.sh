#!/bin/sh
# Prepares a release: writes its version and the date of today wherever they stand.
#
#     sh packaging/set-version.sh 0.2.0
#
# In CHANGELOG.md, "Unreleased" becomes the heading of the version. Needs no cargo; check-version.sh and `make test` check
# the result.
set -eu
cd "$(dirname "$0")/.."

version=${1-}
fail() {
    echo "set-version: $1" >&2
    exit 1
}

echo "$version" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' || fail 'usage: set-version.sh MAJOR.MINOR.PATCH'
grep -q '^## \[Unreleased\]$' CHANGELOG.md || fail "CHANGELOG.md has no heading '## [Unreleased]'"
old=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
any_version='[0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*'
any_date='[0-9]\{4\}-[0-9]\{2\}-[0-9]\{2\}'
today=$(date -u +%Y-%m-%d)

# Edits a file in place. $1: file; $2: commands of sed.
edit() {
    sed "$2" "$1" >"$1.new"
    # Keeps the permissions.
    cat "$1.new" >"$1"
    rm "$1.new"
}

for manifest in Cargo.toml crates/soong-statusd/Cargo.toml; do
    edit "$manifest" "s/^version = \"$any_version\"/version = \"$version\"/"
done
for package in soong soong-statusd; do
    edit Cargo.lock "/^name = \"$package\"\$/{n;s/.*/version = \"$version\"/;}"
done
edit CHANGELOG.md "s/^## \[Unreleased\]\$/## [$version] - $today/"
for page in README.md docs/installation.md; do
    edit "$page" "s/\(soong[-_]\)$any_version/\1$version/g"
done
edit tests/generated/man/roff.rs "s/\(DATE: &str = \"\)$any_date/\1$today/"
for page in man/*.[1578]; do
    edit "$page" "s/^\(\.TH .*\) $any_date \"soong $any_version\"/\1 $today \"soong $version\"/"
done
echo "$old -> $version. Next: make test, then sh packaging/check-version.sh v$version"
