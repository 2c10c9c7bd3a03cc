#!/usr/bin/env bash
# soong:summary: Say hello to whom you name
# soong:complete: soong
#
# Called as 'soong @NAME@'. soong reads the lines above without running this
# program. 'complete: soong' means that it prints candidates and does nothing else
# when SOONG_COMPLETE is set.
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

# Prints one 'value<TAB>description' per line, then the directive :4 (no file
# names). The last argument is the word being typed.
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
        echo "hint: 'soong @NAME@ --help' lists the options" >&2
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
# SOONG is the path of soong: "$SOONG" tunnel url sglang prints an address, for example.
echo "$text"
