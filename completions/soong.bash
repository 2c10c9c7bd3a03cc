# shellcheck shell=bash
# Completion of soong and its programs for bash, 3.2 and later.
#
# soong-complete, or the program in $_soong_completer, computes the candidates. These functions pass it the command
# line and hand its answer to bash.

_soong() {
    local reply directive alias='' kind=${COMP_TYPE:-9}
    COMPREPLY=()
    # 37 is menu completion, which inserts one candidate after the other. bash 3 does not set COMP_TYPE.
    case ${COMP_TYPE-$(bind -q menu-complete 2>/dev/null)} in *'\C-i'*) kind=37 ;; esac
    # ble.sh inserts candidates from a menu of its own, as menu completion does.
    if [[ -n ${BLE_ATTACHED-} ]]; then kind=37; fi
    case ${COMP_WORDS[0]##*/} in
    soong | soong-*) ;;
    "${__soong_alias-}") alias=soong ;;
    sudo | doas)
        # bash-completion, loaded later, completes sudo and doas better.
        if declare -F _completion_loader _comp_complete_load >/dev/null; then
            complete -r "$1"
            return 124
        fi
        ;;
    *)
        alias=$(alias -- "${COMP_WORDS[0]}" 2>/dev/null) || alias=''
        alias=${alias#*=\'}
        alias=${alias%\'}
        ;;
    esac
    reply=$("${_soong_completer:-soong-complete}" bash "${COLUMNS:-80}" "$kind" \
        "$COMP_WORDBREAKS" "$alias" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || reply=:1
    directive=${reply##*:}
    reply=${reply%:*}
    case $directive in '' | *[!0-9]*) directive=1 ;; esac
    if ((directive & 1)); then
        return 0
    elif ((directive & 256)); then
        _soong_command "${reply%$'\n'}" "$2"
        return
    fi
    IFS=$'\n' read -r -d '' -a COMPREPLY <<<"$reply" || :
    if ((BASH_VERSINFO[0] > 3)); then
        if ((directive & 2)); then compopt -o nospace; fi
        if ((directive & 4)); then compopt +o bashdefault +o default; fi
        if ((${#COMPREPLY[@]} == 0 && (directive & 4) == 0)); then compopt -o filenames; fi
    elif ((${#COMPREPLY[@]} == 1 && (directive & 2) == 0)); then
        # Inside quotes, a space would become a part of the word.
        case ${COMP_WORDS[COMP_CWORD]} in *[\"\']*) ;; *) COMPREPLY=("${COMPREPLY[0]} ") ;; esac
    elif ((${#COMPREPLY[@]} == 0 && directive & 4)); then
        # Without a candidate, this bash would offer files.
        COMPREPLY=("$2")
    fi
}

# Completes the rest of the line as a command line of its own. $1: the index of its first word and, after a tab, the
# command to complete in place of that word; $2: the word at the cursor.
_soong_command() {
    local name='' mark=-- i
    case $1 in *$'\t'*)
        name=${1#*$'\t'}
        mark=${name#soong-}
        ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == "$mark" ]]; then break; fi
    done
    if [[ -n $name ]]; then COMP_WORDS[i]=$name; else i=$((i + 1)); fi
    if ((i > COMP_CWORD)); then
        return 0
    elif declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$i"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$i"
    elif ((i == COMP_CWORD)); then
        IFS=$'\n' read -r -d '' -a COMPREPLY < <(compgen -c -- "$2") || :
    fi
}

_soong_register() {
    local spaces='' line name value
    # Without compopt, the trailing space is suppressed for all candidates or for none.
    if ((BASH_VERSINFO[0] < 4)); then spaces=-o\ nospace; fi
    # begin generated
    set -- soong soong-tunnel soong-ssh soong-code soong-status soong-offers soong-launch soong-terminate soong-cost soong-extend soong-keep soong-daemon soong-service soong-doctor soong-configure soong-init soong-prompt soong-ext
    # end generated
    # shellcheck disable=SC2086 # Two words or none.
    complete -o bashdefault -o default $spaces -F _soong -- "$@" ${__soong_alias+"$__soong_alias"}
    if ! declare -F _completion_loader _comp_complete_load >/dev/null; then
        for name in sudo doas; do
            # shellcheck disable=SC2086
            complete -p "$name" >/dev/null 2>&1 || complete -o bashdefault -o default $spaces -F _soong "$name"
        done
    fi
    if ((BASH_VERSINFO[0] > 3)); then
        for name in "${!BASH_ALIASES[@]}"; do _soong_register_alias "$name" "${BASH_ALIASES[$name]}"; done
        _soong_aliases=${#BASH_ALIASES[@]}
    else
        while IFS= read -r line; do
            line=${line#alias }
            value=${line#*=\'}
            _soong_register_alias "${line%%=*}" "${value%\'}"
        done < <(alias -p)
        _soong_aliases=0
    fi
}

# Registers the alias $1 with the value $2, if it runs one of our programs and has no completion yet.
_soong_register_alias() {
    case $2 in
    soong | 'soong '* | soong-*) ;;
    *) return 0 ;;
    esac
    # shellcheck disable=SC2086
    complete -p "$1" >/dev/null 2>&1 || complete -o bashdefault -o default $spaces -F _soong -- "$1"
}

# A restricted shell cannot run the completer.
if ! shopt -q restricted_shell; then
    _soong_register
    # The hook in soong.bash registers again at the first prompt, and when more aliases are defined.
    _soong_aliases=unread
fi
