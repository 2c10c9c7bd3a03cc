#!/bin/sh
# Usage: next-steps.sh DIRECTORY
#
# Prints what to do after an installation into DIRECTORY, a line each.
set -eu

case ":$PATH:" in
*":$1:"*) step="$1 is on it" ;;
*)
    case ${SHELL-} in
    */fish) step="fish_add_path '$1'" ;;
    *) step="export PATH=\"$1:\$PATH\"" ;;
    esac
    ;;
esac
echo "1. Your PATH:              $step"
echo "2. Completion and prompt:  soong init --install"
echo "3. Your instances:         soong configure"
