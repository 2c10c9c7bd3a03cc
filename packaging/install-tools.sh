#!/bin/sh
# Installs the tools of packaging/dist.sh that cargo builds, in the versions that the release was tried with.
#
#     sh packaging/install-tools.sh [TOOL...]     all by default
set -eu

version_of() {
    case $1 in
    cargo-deb) echo 3.8.0 ;;
    cargo-generate-rpm) echo 0.21.1 ;;
    cargo-cyclonedx) echo 0.5.9 ;;
    *)
        echo "install-tools: unknown tool: $1" >&2
        exit 2
        ;;
    esac
}

[ $# -gt 0 ] || set -- cargo-deb cargo-generate-rpm cargo-cyclonedx
for tool; do
    version=$(version_of "$tool")
    # A debug build: compiled in a third of the time, and used once.
    "${CARGO:-cargo}" install --locked --debug --version "$version" "$tool"
done
