# shellcheck shell=bash
# Completion of soong and its programs for bash, 3.2 and later.
#
# What there is to say is soong-complete's to know; this only asks it, and does with the answer what
# bash wants done. $_soong_completer, where it is set, is the program to ask.

_soong() {
    local reply directive alias='' kind=${COMP_TYPE:-9}
    COMPREPLY=()
    # What bash 3 does not say: whether it puts one candidate after the other on the line, as others do at 37.
    case ${COMP_TYPE-$(bind -q menu-complete 2>/dev/null)} in *'\C-i'*) kind=37 ;; esac
    # ble.sh has a menu of its own, and puts on the line what it finds there.
    if [[ -n ${BLE_ATTACHED-} ]]; then kind=37; fi
    case ${COMP_WORDS[0]##*/} in
    soong | soong-*) ;;
    "${__soong_alias-}") alias=soong ;;
    sudo | doas)
        # The bash-completion package was loaded after this, and knows more of these.
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
        # Not in quotes, which a space would become a part of.
        case ${COMP_WORDS[COMP_CWORD]} in *[\"\']*) ;; *) COMPREPLY=("${COMPREPLY[0]} ") ;; esac
    elif ((${#COMPREPLY[@]} == 0 && directive & 4)); then
        # Nothing but the word itself keeps this bash from offering files.
        COMPREPLY=("$2")
    fi
}

# Completes a part of the line as the command line that it is. $1: the number of its first word and,
# behind a tab, what that word stands for; $2: the word at the cursor.
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
    # Without compopt, a space can be left out only always.
    if ((BASH_VERSINFO[0] < 4)); then spaces=-o\ nospace; fi
    # begin generated
    set -- soong soong-tunnel soong-ssh soong-status soong-extend soong-configure soong-init soong-prompt soong-ext
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

# Completes the alias $1 if it stands for $2 of ours, unless something completes it.
_soong_register_alias() {
    case $2 in
    soong | 'soong '* | soong-*) ;;
    *) return 0 ;;
    esac
    # shellcheck disable=SC2086
    complete -p "$1" >/dev/null 2>&1 || complete -o bashdefault -o default $spaces -F _soong -- "$1"
}

# Where the shell is restricted nothing can be asked.
if ! shopt -q restricted_shell; then
    _soong_register
    # Once more at the first prompt, when all aliases are there, and whenever there are more: see soong.bash.
    _soong_aliases=unread
fi
