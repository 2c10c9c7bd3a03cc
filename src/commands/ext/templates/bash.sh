#!/usr/bin/env bash
# soong:summary: Say hello to whom you name
# soong:complete: soong
#
# Called as 'soong @NAME@'. What stands in the lines above is read by soong and
# never asked by running this; 'complete: soong' is the promise that the program
# answers when SOONG_COMPLETE is set, and does nothing else then.
set -euo pipefail

usage() {
    cat <<'END'
Say hello to whom you name

Usage: soong @NAME@ [--shout] [WHOM]

Options:
      --shout  In capital letters
  -h, --help   Print this text
END
}

# Prints a line per word that could stand last, its description behind a tab, and
# a last line ':4' (no names of files). The last argument is the word being typed.
complete() {
    case ${*: -1} in
    -*)
        printf '%s\t%s\n' --shout 'In capital letters' --help 'Explain the command'
        ;;
    *)
        printf '%s\t%s\n' world 'Everybody' "${USER:-you}" 'You'
        ;;
    esac
    echo ':4'
}

if [[ ${SOONG_COMPLETE:-} == 1 ]]; then
    complete "${@:-}"
    exit
fi

shout=no
whom=world
while (($# > 0)); do
    case $1 in
    -h | --help)
        usage
        exit
        ;;
    --shout) shout=yes ;;
    --)
        shift
        whom=${1:-$whom}
        break
        ;;
    -*)
        echo "soong-@NAME@: unknown option '$1'" >&2
        echo "hint: 'soong @NAME@ --help' lists the options there are" >&2
        exit 2
        ;;
    *) whom=$1 ;;
    esac
    shift
done

text="hello, $whom"
if [[ $shout == yes ]]; then
    text=$(tr '[:lower:]' '[:upper:]' <<<"$text")
fi
# SOONG is soong itself: "$SOONG" tunnel url sglang, for example, is an address.
echo "$text"
