#!/bin/sh
# Usage: next-steps.sh DIRECTORY
#
# Prints what to do after an installation into DIRECTORY, a line each.
set -eu
# shellcheck source=packaging/path-step.sh
. "$(dirname "$0")/path-step.sh"

case ":$PATH:" in
*":$1:"*) step="$1 is on it" ;;
*) step=$(path_step "$1") ;;
esac
echo "1. Your PATH:              $step"
echo "2. Completion and prompt:  soong init --install"
echo "3. Your instances:         soong configure"
