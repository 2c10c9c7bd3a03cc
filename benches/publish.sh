#!/bin/sh
# Copies the report of the last `make bench` and its charts into docs/.
set -eu
cd "$(dirname "$0")/.."

from=${CARGO_TARGET_DIR:-target}/bench
if [ ! -f "$from/report.md" ]; then
    echo "publish: there is no report yet; run make bench" >&2
    exit 1
fi
rm -f docs/benchmark-*.svg
for chart in "$from"/*.svg; do
    cp "$chart" "docs/benchmark-$(basename "$chart")"
done
sed -e 's/](\([a-z]*-[0-9]*\.svg\))/](benchmark-\1)/' -e 's/Linux \([0-9]*\.[0-9]*\)[^;]*/Linux \1/' "$from/report.md" >docs/benchmarks.md
