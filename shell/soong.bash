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

# Reads the prompt file. Text that has not changed since the last prompt is not taken apart again: only
# whether its promises still hold.
__soong_update() {
    local IFS=$' \n' dir text='' now=0 found='' i=0 limit=${SOONG_PROMPT_LEASE-}
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
    if [[ ! -s $dir/prompt || ! -f $dir/prompt || ! -O $dir/prompt || ! -O $dir ]]; then
        SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT=''
        \builtin unset -v __soong_seen
        return 0
    fi
    \builtin read -r -d '' text <"$dir/prompt" || :
    if [[ -z ${__soong_seen+set} || $text != "$__soong_seen" ]]; then __soong_parse; fi
    if [[ -z ${__soong_epoch-} ]]; then
        \builtin printf -v now '%(%s)T' -1 || now=0
    else
        case ${SECONDS-} in
        '' | *[!0123456789]*) ;;
        *) now=$((__soong_epoch + SECONDS)) ;;
        esac
    fi
    for ((; i < ${#__soong_pids[@]}; i++)); do
        # What should have been renewed, or was promised before the clock was set back, is not
        # believed. The program of a zombie is gone, where that can be seen.
        if ((now > __soong_until[i] || now < __soong_from[i])); then
            found+=' down'
        elif [[ ${__soong_states[i]} == failed || -e /proc/${__soong_pids[i]}/exe ]]; then
            found+=\ ${__soong_states[i]}
        elif [[ ! -e /proc/self/exe ]] && \builtin kill -0 "${__soong_pids[i]}"; then
            found+=\ ${__soong_states[i]}
        else
            found+=' down'
        fi
    done
    if ((__soong_lease)); then ((now = now < __soong_lease ? (__soong_lease - now) / 60 : 0, 1)); else now=; fi
    text=$now$found:$limit:${SOONG_PROMPT_FORMAT-}:${SOONG_PROMPT_ASCII-}:${NO_COLOR-}:${SOONG_PROMPT_SYMBOL_UP--}:${SOONG_PROMPT_SYMBOL_WAIT--}:${SOONG_PROMPT_SYMBOL_DOWN--}:${SOONG_PROMPT_COLOR_UP-}:${SOONG_PROMPT_COLOR_WAIT-}:${SOONG_PROMPT_COLOR_DOWN-}
    if [[ $text != "${__soong_shown-}" ]]; then
        __soong_shown=$text
        __soong_show
    fi
}

# Takes the text apart, an array for each field of its lines.
__soong_parse() {
    local IFS=' ' line mark pid until ttl state name lease ports rest
    local plain=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:,@-
    __soong_seen=$text __soong_shown='' __soong_lease=0 i=0
    __soong_pids=() __soong_from=() __soong_until=() __soong_states=() __soong_names=()
    text+=$'\n'
    while [[ -n $text ]]; do
        line=${text%%$'\n'*}
        text=${text#*$'\n'}
        # One space between fields, so that no field is empty.
        case $line in 'soong1 '*) ;; *) continue ;; esac
        line=${line#soong1 }
        pid=${line%% *} line=${line#* }
        until=${line%% *} line=${line#* }
        ttl=${line%% *} line=${line#* }
        state=${line%% *} line=${line#* }
        name=${line%% *} line=${line#* }
        lease=${line%% *} ports=${line#* }
        case $pid:$until:$ttl in
        [123456789]*:[123456789]*:[123456789]*) ;;
        *) continue ;;
        esac
        case $pid$until$ttl in *[!0123456789]*) continue ;; esac
        case $state:$name:$lease:$ports in :* | *::* | *: | *[!$plain]*) continue ;; esac
        case $lease in
        -) lease=0 ;;
        0* | *[!0123456789]*) continue ;;
        esac
        if ((${#pid} > 7 || pid < 2 || ${#until} > 12 || ${#ttl} > 3 || ${#lease} > 12)); then continue; fi
        __soong_from[i]=$((until - ttl)) __soong_until[i]=$until
        case $state in
        failed) __soong_from[i]=0 __soong_until[i]=9999999999999 ;;
        up | starting | reconnecting)
            if ((lease && (__soong_lease == 0 || lease < __soong_lease))); then __soong_lease=$lease; fi
            ;;
        *) state=down ;;
        esac
        __soong_pids[i]=$pid __soong_states[i]=$state __soong_names[i]=$name
        ((i += 1))
    done
    i=0
}

# Puts together what __soong_update has found, whose variables it uses.
__soong_show() {
    local symbol color state rank worst=0 ups=0 total=0 word='' up='' all='' soon='' text=''
    local format=${SOONG_PROMPT_FORMAT-}
    SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT=''
    if ((${#__soong_pids[@]} == 0)); then return 0; fi
    for state in $found; do
        case $state in
        up)
            rank=0
            if ((ups < 3)); then up+=,${__soong_names[total]}; fi
            ((ups += 1))
            ;;
        starting) rank=1 ;;
        reconnecting) rank=2 ;;
        *) rank=3 ;;
        esac
        if ((total < 3)); then all+=,${__soong_names[total]}; fi
        if ((rank >= worst)); then worst=$rank word=$state; fi
        ((total += 1))
    done
    if ((ups == 0)); then up=$all rank=$total; else rank=$ups; fi
    up=${up#,}
    if ((rank > 3)); then up+=+$((rank - 3)); fi
    SOONG_STATE=down
    if ((ups == total)); then
        SOONG_STATE=up text=$up
    elif ((ups)); then
        text="$ups/$total $up"
    elif ((total > 1)); then
        text="0/$total $up $word"
    else
        text="$up $word"
    fi
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $now ]] && ((now < limit)); then
        if ((now < 60)); then soon=${now}m; else soon=$((now / 60))h$((now % 60))m; fi
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
        '' | *[!0123456789\;]*) ;;
        # Readline counts what stands between 001 and 002 as having no width.
        *) SOONG_PROMPT=$'\001\e['$color$'m\002'$SOONG_PROMPT$'\001\e[0m\002' ;;
        esac
    fi
}

# What runs before each prompt.
__soong_hook() {
    local status=$?
    __soong_update
    __soong_lead
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

# Goes back to the first place, before a hook that put itself there and may show what is set here. The
# shell goes through a copy of the array, and a string has been read by now.
__soong_lead() {
    local one i
    case ${PROMPT_COMMAND[0]-} in *__soong_hook*) \builtin return 0 ;; esac
    for i in "${!PROMPT_COMMAND[@]}"; do
        if [[ ${PROMPT_COMMAND[i]} == __soong_hook ]]; then
            \builtin unset -v "PROMPT_COMMAND[i]"
            PROMPT_COMMAND=(__soong_hook "${PROMPT_COMMAND[@]}")
            \builtin return 0
        fi
    done
}

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
    \builtin unset -v __soong_place __soong_symbols __soong_epoch __soong_was __soong_alias __soong_seen __soong_shown
    \builtin unset -v __soong_pids __soong_from __soong_until __soong_states __soong_names __soong_lease
    \builtin unset -f __soong_lead __soong_update __soong_parse __soong_show __soong_hook __soong_withdraw __soong_load soong_unload
} 2>/dev/null

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) __soong_load ;;
esac
