# shellcheck shell=bash
# Where soong's hook and segment stand in a bash that other hooks, themes and terminals want to use too; read by
# soong.bash, whose variables it uses.
#
# \builtin: whatever functions and aliases the user has made.
#
# PROMPT_COMMAND may be a string or an array.
# shellcheck disable=SC2034,SC2128,SC2154,SC2178,SC2179

# Puts the segment into PS1, on the line of the prompt.
__soong_put() {
    local head=''
    if [[ -z $__soong_place ]] || ! __soong_may_set PS1; then \builtin return 0; fi
    if ! \builtin shopt -q promptvars; then
        __soong_say 'shopt promptvars is off'
        \builtin return 0
    fi
    # VS Code puts its marks around a prompt that it has not made.
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

# Takes the segment out of PS1.
__soong_withdraw() {
    case ${PS1-} in
    *"$__soong_segment"*) if __soong_may_set PS1; then PS1=${PS1/"$__soong_segment"/}; fi ;;
    esac
}

# Whether the variable can be set. An assignment to one that is read-only would end the whole prompt.
__soong_may_set() {
    local "$1"
} 2>/dev/null

# Says once why there are no tunnels in this prompt.
__soong_say() {
    if [[ -z ${__soong_said-} ]]; then \builtin printf 'soong: cannot show tunnels in this prompt: %s\n' "$1"; fi
    __soong_said=yes
}

# Has __soong_hook run before each prompt, ahead of other hooks, so that one that draws the prompt finds the
# variables of this prompt, and __soong_last behind them. A string stays a string and an array an array, whose
# elements others know by what they are. $1: whether to begin.
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
        # VS Code runs what it has found, and takes for a command of the user's what runs beside that.
        __soong_wrap "${__vsc_original_prompt_command-}" "$__soong_close"
        __vsc_original_prompt_command=$__soong_rest PROMPT_COMMAND=__vsc_prompt_cmd_original
        ;;
    /starship_precmd)
        # starship runs what it has found when it has saved the statuses.
        __soong_wrap "${STARSHIP_PROMPT_COMMAND-}" "$__soong_end"
        STARSHIP_PROMPT_COMMAND=$__soong_rest PROMPT_COMMAND=starship_precmd$'\n'__soong_last
        ;;
    *)
        # Where others run this hook, they decide when.
        case ${1-}${PROMPT_COMMAND[*]-} in begin* | *__soong_hook*) ;; *) \builtin return 0 ;; esac
        if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)) || [[ ${PROMPT_COMMAND+${PROMPT_COMMAND@a}} != *a* ]]; then
            __soong_wrap "${kept-}" "$__soong_close"
            PROMPT_COMMAND=$__soong_rest
        else
            PROMPT_COMMAND=(__soong_hook)
            if [[ ${TERM_PROGRAM-} == vscode ]]; then
                # VS Code saves the first element and puts its own there, and what runs behind that it takes for a
                # command of the user's.
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
    # Whether a hook draws what is set here.
    kept="${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command-} ${precmd_functions[*]-}"
    __soong_drawn=''
    # bash 3 cannot read "case" here.
    kept+=$(
        for i in ${kept//[!A-Za-z0-9_]/ }; do
            [[ $i == __soong_* ]] || \builtin declare -f -- "$i"
        done
    )
    case $kept in *SOONG_[PSTUWD]*) __soong_drawn=yes ;; esac
}

# Sets __soong_rest to $1 with __soong_hook in front and $2 behind it.
__soong_wrap() {
    __soong_strip "$1"
    case $__soong_rest in
    '') __soong_rest=__soong_hook ;;
    *) __soong_rest=$__soong_open$__soong_rest$2 ;;
    esac
}

# Sets __soong_rest to $1 without what was added to it, wherever others have moved that.
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
    # Amid those of others a command has to stay.
    __soong_rest=${__soong_rest//__soong_hook/:}
}

# Leaves the shell as it was before.
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
    \builtin unset -v SOONG_STATE SOONG_TEXT SOONG_PROMPT SOONG_UP SOONG_WAIT SOONG_DOWN _soong_completer _soong_aliases
    for one in ${!__soong_*}; do \builtin unset -v "$one"; done
    \builtin unset -f __soong_hook __soong_last __soong_update __soong_judge __soong_hold __soong_live __soong_clock
    \builtin unset -f __soong_show __soong_put __soong_withdraw __soong_may_set __soong_say __soong_arrange __soong_wrap
    \builtin unset -f __soong_strip __soong_load soong_unload _soong _soong_command _soong_register _soong_register_alias
} 2>/dev/null
