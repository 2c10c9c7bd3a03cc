#!/bin/sh
# Runs the benchmarks that are named, or all of them, and says where the report is. A goal that is missed is marked in
# the report and is no failure; a benchmark that could not be run is.
set -u
cd "$(dirname "$0")/.." || exit 1

all="dispatch prompt completion start status ssh relay line connections recovery scale size"
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}

# Prints the executables of the benchmarks, once they are built, a line each: the name, then the file.
executables() {
    "$cargo" bench --benches --no-run 2>&1 |
        sed -n 's|^ *Executable benches/\([a-z]*\)\.rs (\(.*\))$|\1 \2|p'
}

# A benchmark tidies up when it is interrupted. This waits for it, and then runs no more.
interrupted=
trap 'interrupted=yes' INT TERM HUP

sh benches/install-peers.sh
"$cargo" build --release --bins && "$cargo" bench --benches --no-run || exit 1
built=$(executables)
[ $# -gt 0 ] || rm -f "$target"/bench/*.json "$target"/bench/*.svg "$target"/bench/report.md
failed=
# shellcheck disable=SC2086 # A word per benchmark is meant.
[ $# -gt 0 ] || set -- $all
begun=$(date +%s)
for name in "$@"; do
    [ -z "$interrupted" ] || break
    executable=$(echo "$built" | sed -n "s/^$name //p")
    if [ -z "$executable" ]; then
        echo "bench: there is no benchmark '$name'; there are: $all" >&2
        failed="$failed $name"
        continue
    fi
    echo "bench: $name, $(($(date +%s) - begun)) s after the beginning" >&2
    "$executable" --bench || failed="$failed $name"
done
[ -z "$interrupted" ] || exit 130
echo "bench: done after $(($(date +%s) - begun)) s; the report is $target/bench/report.md" >&2
if [ -n "$failed" ]; then
    echo "bench: could not be run:$failed" >&2
    exit 1
fi
