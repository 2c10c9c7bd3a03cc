# shellcheck shell=bash
# soong in the prompt of bash, 3.2 and later: `eval "$(soong init bash)"`, or source this file.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT and SOONG_PROMPT from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it.
#
# \builtin: whatever functions and aliases the user has made. Errors and traces go nowhere.
#
# PROMPT_COMMAND may be a string or an array, and the variables are for others to use.
# shellcheck disable=SC2034,SC2128,SC2178

# Reads the prompt file.
__soong_update() {
    local IFS=' ' dir now=0 left mark pid until ttl state name lease ports rest
    local digits=0123456789 rank=0 worst=0 total=0 ups=0 up='' all='' soonest=0 word=''
    local plain=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:,@-
    SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT=''
    case ${XDG_RUNTIME_DIR-} in
    /*) dir=$XDG_RUNTIME_DIR/soong ;;
    *)
        case ${TMPDIR-} in
        /*) dir=$TMPDIR/soong-$EUID ;;
        *) dir=/tmp/soong-$EUID ;;
        esac
        ;;
    esac
    # Not what others put there, and nothing that could block.
    if ! [[ -s $dir/prompt && -f $dir/prompt && -O $dir/prompt && -O $dir ]]; then
        return 0
    fi
    if [[ -z ${__soong_epoch-} ]]; then
        \builtin printf -v now '%(%s)T' -1 || now=0
    else
        case ${SECONDS-} in
        '' | *[!$digits]*) ;;
        *) now=$((__soong_epoch + SECONDS)) ;;
        esac
    fi
    while \builtin read -r mark pid until ttl state name lease ports rest || [[ -n $mark ]]; do
        case $mark:$pid:$until:$ttl:$rest in
        soong1:[123456789]*:[123456789]*:[123456789]*:) ;;
        *) continue ;;
        esac
        case $pid$until$ttl in *[!$digits]*) continue ;; esac
        case $state$name$lease$ports in *[!$plain]*) continue ;; esac
        case $lease in
        -) lease=0 ;;
        '' | 0* | *[!$digits]*) continue ;;
        esac
        if ((${#pid} > 7 || pid < 2 || ${#until} > 12 || ${#ttl} > 3 || ${#lease} > 12)) || [[ -z $ports ]]; then
            continue
        fi
        ((left = until - now, total += 1)) || :
        rank=3
        case $state in
        failed) ;;
        up | starting | reconnecting)
            # Nothing that should have been renewed, or was promised before the clock was set back.
            # The program of a zombie is gone, where that can be seen.
            if ((now && left >= 0 && left <= ttl)) &&
                if [[ -e /proc/self/exe ]]; then [[ -e /proc/$pid/exe ]]; else \builtin kill -0 "$pid"; fi; then
                case $state in
                up) rank=0 ;;
                starting) rank=1 ;;
                *) rank=2 ;;
                esac
            else
                state=down
            fi
            if ((lease && (soonest == 0 || lease < soonest))); then soonest=$lease; fi
            ;;
        *) state=down ;;
        esac
        if ((rank == 0)); then
            ((ups += 1)) || :
            if ((ups < 4)); then up=$up,$name; fi
        fi
        if ((total < 4)); then all=$all,$name; fi
        if ((rank >= worst)); then worst=$rank word=$state; fi
    done <"$dir/prompt" || :
    if ((total)); then __soong_show; fi
}

# Puts together what __soong_update has found, whose variables it uses.
__soong_show() {
    local symbol color text='' soon='' format=${SOONG_PROMPT_FORMAT-} limit=${SOONG_PROMPT_LEASE-}
    case $limit in '' | *[!$digits]* | 0?* | ??????*) limit=30 ;; esac
    if ((soonest && now)); then
        ((left = soonest > now ? (soonest - now) / 60 : 0)) || :
        if ((left < limit)); then
            if ((left < 60)); then soon=${left}m; else soon=$((left / 60))h$((left % 60))m; fi
        fi
    fi
    SOONG_STATE=down
    if ((ups == total)); then
        SOONG_STATE=up
        text=${up#,}
    elif ((ups)); then
        text=$ups/$total' '${up#,}
    elif ((total > 1)); then
        text=0/$total' '${all#,}' '$word
    else
        text=${all#,}' '$word
    fi
    if ((ups > 3)); then
        text=$text+$((ups - 3))
    elif ((ups == 0 && total > 3)); then
        text=0/$total' '${all#,}+$((total - 3))' '$word
    fi
    SOONG_TEXT=$text${soon:+ $soon}
    symbol=$__soong_symbols
    case ${SOONG_PROMPT_ASCII-} in '' | 0) ;; *) symbol='= ~ !' ;; esac
    case $worst in
    0) symbol=${SOONG_PROMPT_SYMBOL_UP-${symbol%% *}} color=${SOONG_PROMPT_COLOR_UP-32} ;;
    3) symbol=${SOONG_PROMPT_SYMBOL_DOWN-${symbol##* }} color=${SOONG_PROMPT_COLOR_DOWN-31} ;;
    *)
        symbol=${symbol#* }
        symbol=${SOONG_PROMPT_SYMBOL_WAIT-${symbol% *}} color=${SOONG_PROMPT_COLOR_WAIT-33}
        ;;
    esac
    if [[ -z $format ]]; then
        SOONG_PROMPT=${symbol:+$symbol }$SOONG_TEXT
    else
        # The user's own text first: what stands in it for data is not looked for in the data.
        case $format in *'{symbol}'*) format=${format%%'{symbol}'*}$symbol${format#*'{symbol}'} ;; esac
        case $format in *'{text}'*) format=${format%%'{text}'*}$text${format#*'{text}'} ;; esac
        case $format in *'{lease}'*) format=${format%%'{lease}'*}$soon${format#*'{lease}'} ;; esac
        SOONG_PROMPT=$format
    fi
    if [[ -z ${NO_COLOR-} ]]; then
        case $color in
        '' | *[!$digits\;]*) ;;
        # Readline counts what stands between 001 and 002 as having no width.
        *) SOONG_PROMPT=$'\001\e['$color$'m\002'$SOONG_PROMPT$'\001\e[0m\002' ;;
        esac
    fi
}

# What runs before each prompt.
__soong_hook() {
    local status=$?
    __soong_update
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT ;; esac
    case ${SOONG_PROMPT_SIDE-} in
    off) __soong_withdraw ;;
    *)
        # Whoever names the variable has placed it.
        case ${PS1-} in *SOONG_PROMPT*) ;; *) PS1=$__soong_place${PS1-} ;; esac
        ;;
    esac
    # With errexit this would end the shell, and there the status is always 0 or of no use.
    case $- in *e*) \builtin return 0 ;; esac
    \builtin return "$status"
} 2>/dev/null

# Takes the segment out of PS1.
__soong_withdraw() {
    case ${PS1-} in *"$__soong_place"*) PS1=${PS1%%"$__soong_place"*}${PS1#*"$__soong_place"} ;; esac
}

# Has __soong_hook run before each prompt, ahead of others: a theme that renders in a hook of its own
# is to find the variables of this prompt.
__soong_load() {
    # shellcheck disable=SC2016 # For PS1 to expand: text that stands there itself could be executed.
    __soong_place='${SOONG_PROMPT:+$SOONG_PROMPT }'
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) __soong_symbols='⇄ ↻ ✗' ;;
    *) __soong_symbols='= ~ !' ;;
    esac
    __soong_epoch=''
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 402)); then
        # This bash has no clock but SECONDS.
        __soong_epoch=$(\command date +%s) || __soong_epoch=0
        ((__soong_epoch -= SECONDS)) || :
    fi
    __soong_update
    if [[ -n ${bash_preexec_imported-}${__bp_imported-} ]]; then
        case " ${precmd_functions[*]-} " in
        *__soong_hook*) ;;
        *) precmd_functions=(__soong_hook ${precmd_functions[@]+"${precmd_functions[@]}"}) ;;
        esac
        \builtin return 0
    fi
    case " ${PROMPT_COMMAND[*]-} " in *__soong_hook*) \builtin return 0 ;; esac
    __soong_was='unset'
    if [[ -n ${PROMPT_COMMAND+set} ]]; then __soong_was=string; fi
    case $(\builtin declare -p PROMPT_COMMAND) in 'declare -a'*) __soong_was=array ;; esac
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
        PROMPT_COMMAND=(__soong_hook ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"})
    else
        # Not a semicolon: what follows may begin with one.
        PROMPT_COMMAND=__soong_hook${PROMPT_COMMAND:+$'\n'$PROMPT_COMMAND}
    fi
} 2>/dev/null

# Leaves the shell as it was before.
soong_unload() {
    local one kept IFS=$'\n'
    kept=()
    __soong_withdraw
    for one in ${precmd_functions[@]+"${precmd_functions[@]}"}; do
        if [[ $one != __soong_hook ]]; then kept[${#kept[@]}]=$one; fi
    done
    if [[ -n ${precmd_functions+set} ]]; then precmd_functions=(${kept[@]+"${kept[@]}"}); fi
    kept=()
    for one in ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"}; do
        case $one in
        __soong_hook) ;;
        __soong_hook$'\n'*) kept[${#kept[@]}]=${one#*$'\n'} ;;
        *) kept[${#kept[@]}]=$one ;;
        esac
    done
    if [[ -n ${__soong_was-} ]]; then
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
    \builtin unset -v SOONG_STATE SOONG_TEXT SOONG_PROMPT _soong_completer
    \builtin unset -v __soong_place __soong_symbols __soong_epoch __soong_was __soong_alias
    \builtin unset -f __soong_update __soong_show __soong_hook __soong_withdraw __soong_load soong_unload
} 2>/dev/null

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) __soong_load ;;
esac
