# shellcheck shell=bash
# Adds the hook to PROMPT_COMMAND and the segment to PS1, beside other hooks, themes and terminals. soong.bash loads
# it and sets its variables.
#
# \builtin bypasses the user's functions and aliases.
#
# PROMPT_COMMAND may be a string or an array.
# shellcheck disable=SC2034,SC2128,SC2154,SC2178,SC2179

# Adds the segment to PS1, after leading newlines.
__soong_put() {
    local head=''
    if [[ -z $__soong_place ]] || ! __soong_may_set PS1; then \builtin return 0; fi
    if ! \builtin shopt -q promptvars; then
        __soong_say 'shopt promptvars is off'
        \builtin return 0
    fi
    # VS Code puts marks around PS1 again only if PS1 has changed.
    if [[ -n ${__vsc_custom_PS1-} && ${PS1-} == "$__vsc_custom_PS1" ]]; then PS1=${__vsc_original_PS1-}; fi
    while :; do
        case ${PS1-} in
        $'\n'*) head+=$'\n' PS1=${PS1#?} ;;
        '\n'*) head+='\n' PS1=${PS1#??} ;;
        *) break ;;
        esac
    done
    PS1=$head$__soong_place${PS1-}
}

# Removes the segment from PS1.
__soong_withdraw() {
    case ${PS1-} in
    *"$__soong_segment"*) if __soong_may_set PS1; then PS1=${PS1/"$__soong_segment"/}; fi ;;
    esac
}

# True if the variable can be set. Assigning to a read-only variable would abort all of PROMPT_COMMAND.
__soong_may_set() {
    local "$1"
} 2>/dev/null

# Prints once why this prompt shows no tunnels.
__soong_say() {
    if [[ -z ${__soong_said-} ]]; then \builtin printf 'soong: cannot show tunnels in this prompt: %s\n' "$1"; fi
    __soong_said=yes
}

# Puts __soong_hook before the hooks in PROMPT_COMMAND, which may use its variables, and __soong_last after them. A
# string stays a string, and the elements of an array stay the same, because other scripts look for theirs. $1 is
# "begin" at the first call.
__soong_arrange() {
    local i kept IFS=$' \n'
    kept=()
    if ! __soong_may_set PROMPT_COMMAND; then
        case ${PROMPT_COMMAND[*]-} in *__soong_hook*) ;; *) __soong_say 'PROMPT_COMMAND is read-only' ;; esac
        \builtin return 0
    fi
    for i in ${PROMPT_COMMAND[@]+"${!PROMPT_COMMAND[@]}"}; do
        __soong_strip "${PROMPT_COMMAND[i]}"
        kept[i]=$__soong_rest
    done
    case ${bash_preexec_imported-}${__bp_imported-}/${kept-} in
    [!/]*)
        for i in "${!kept[@]}"; do PROMPT_COMMAND[i]=${kept[i]/__bp_interactive_mode/$'__soong_last\n'__bp_interactive_mode}; done
        kept=()
        for i in ${precmd_functions[@]+"${precmd_functions[@]}"}; do
            case $i in __soong_hook) ;; *) kept+=("$i") ;; esac
        done
        precmd_functions=(__soong_hook ${kept[@]+"${kept[@]}"})
        ;;
    /__vsc_prompt_cmd*)
        # VS Code runs the PROMPT_COMMAND that it found, and reports anything beside its own hook as the user's command.
        __soong_wrap "${__vsc_original_prompt_command-}" "$__soong_close"
        __vsc_original_prompt_command=$__soong_rest PROMPT_COMMAND=__vsc_prompt_cmd_original
        ;;
    /starship_precmd)
        # starship saves the statuses, then runs the PROMPT_COMMAND that it found.
        __soong_wrap "${STARSHIP_PROMPT_COMMAND-}" "$__soong_end"
        STARSHIP_PROMPT_COMMAND=$__soong_rest PROMPT_COMMAND=starship_precmd$'\n'__soong_last
        ;;
    *)
        # Another script removed the hook from PROMPT_COMMAND and may run it itself.
        case ${1-}${PROMPT_COMMAND[*]-} in begin* | *__soong_hook*) ;; *) \builtin return 0 ;; esac
        if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)) || [[ ${PROMPT_COMMAND+${PROMPT_COMMAND@a}} != *a* ]]; then
            __soong_wrap "${kept-}" "$__soong_close"
            PROMPT_COMMAND=$__soong_rest
        else
            PROMPT_COMMAND=(__soong_hook)
            if [[ ${TERM_PROGRAM-} == vscode ]]; then
                # VS Code replaces the first element, which it then runs, and reports later elements as the user's
                # commands.
                __soong_wrap "${kept-}" "$__soong_close"
                PROMPT_COMMAND=("$__soong_rest")
                kept[0]=''
            fi
            for i in "${kept[@]}"; do
                if [[ -n $i ]]; then PROMPT_COMMAND+=("$i"); fi
            done
            if ((${#PROMPT_COMMAND[@]} > 1)); then PROMPT_COMMAND+=(__soong_last); fi
        fi
        ;;
    esac
    # Look for hooks that use the variables.
    kept="${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command-} ${precmd_functions[*]-}"
    __soong_drawn=''
    # bash 3 cannot parse "case" inside $(…).
    kept+=$(
        for i in ${kept//[!A-Za-z0-9_]/ }; do
            [[ $i == __soong_* ]] || \builtin declare -f -- "$i"
        done
    )
    case $kept in *SOONG_[PSTIUWD]*) __soong_drawn=yes ;; esac
}

# Sets __soong_rest to $1 with __soong_hook in front and $2 behind it.
__soong_wrap() {
    __soong_strip "$1"
    case $__soong_rest in
    '') __soong_rest=__soong_hook ;;
    *) __soong_rest=$__soong_open$__soong_rest$2 ;;
    esac
}

# Sets __soong_rest to $1 without our additions, wherever other scripts have moved them.
__soong_strip() {
    local one
    __soong_rest=$1
    for one in "$__soong_open" "$__soong_close" "$__soong_end" $'\n'__soong_last $'__soong_last\n'; do
        case $__soong_rest in
        *"$one"*) __soong_rest=${__soong_rest%%"$one"*}${__soong_rest#*"$one"} ;;
        esac
    done
    case $__soong_rest in
    __soong_hook | __soong_last) __soong_rest='' ;;
    __soong_hook[\;$'\n']*) __soong_rest=${__soong_rest#*[;$'\n']} __soong_rest=${__soong_rest# } ;;
    *[\;$'\n']__soong_hook | *'; __soong_hook') __soong_rest=${__soong_rest%[;$'\n']*} ;;
    esac
    # Between other commands, an empty command would be a syntax error.
    __soong_rest=${__soong_rest//__soong_hook/:}
}

# Removes everything that the hook and the completion have set.
soong_unload() {
    local one i kept IFS=$'\n'
    kept=()
    __soong_withdraw
    for one in ${precmd_functions[@]+"${precmd_functions[@]}"}; do
        if [[ $one != __soong_hook ]]; then kept[${#kept[@]}]=$one; fi
    done
    if [[ -n ${precmd_functions+set} ]]; then precmd_functions=(${kept[@]+"${kept[@]}"}); fi
    for one in __vsc_original_prompt_command STARSHIP_PROMPT_COMMAND; do
        if [[ -n ${!one-} ]]; then
            __soong_strip "${!one}"
            \builtin printf -v "$one" %s "$__soong_rest"
        fi
    done
    kept=()
    for one in ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"}; do
        __soong_strip "$one"
        if [[ -n $__soong_rest ]]; then kept[${#kept[@]}]=$__soong_rest; fi
    done
    if __soong_may_set PROMPT_COMMAND; then
        \builtin unset -v PROMPT_COMMAND
        if [[ $__soong_was = array ]] || ((${#kept[@]} > 1)); then
            PROMPT_COMMAND=(${kept[@]+"${kept[@]}"})
        elif [[ $__soong_was = string ]] || ((${#kept[@]})); then
            PROMPT_COMMAND=${kept[0]-}
        fi
    fi
    if [[ -n ${__soong_alias-} ]]; then \builtin unalias "$__soong_alias"; fi
    for one in $(\builtin complete -p); do
        case $one in *' _soong '*) \builtin complete -r "${one##* }" ;; esac
    done
    \builtin unset -v SOONG_STATE SOONG_TEXT SOONG_PROMPT SOONG_IDLE SOONG_UP SOONG_WAIT SOONG_DOWN _soong_completer _soong_aliases
    for one in ${!__soong_*}; do \builtin unset -v "$one"; done
    \builtin unset -f __soong_hook __soong_tend __soong_last __soong_update __soong_live __soong_clock
    \builtin unset -f __soong_show __soong_put __soong_withdraw __soong_may_set __soong_say __soong_arrange __soong_wrap
    \builtin unset -f __soong_strip __soong_load soong_unload _soong _soong_command _soong_register _soong_register_alias
} 2>/dev/null
