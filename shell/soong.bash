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

# What runs before each prompt. It is short because bash copies a function each time it calls it: where
# nothing has changed, what was shown last still holds, and the rest of this file has nothing to do.
__soong_hook() {
    __soong_status=$? __soong_text='' __soong_now=${EPOCHSECONDS-}
    # A line each: a value that moves from one to the next is a change.
    __soong_settings="${XDG_RUNTIME_DIR-}
${XDG_STATE_HOME-}
${SOONG_PROMPT_LEASE-}
${SOONG_PROMPT_SYMBOL_UP+=$SOONG_PROMPT_SYMBOL_UP}
${SOONG_PROMPT_COLOR_UP-32}
${SOONG_PROMPT_SYMBOL_WAIT+=$SOONG_PROMPT_SYMBOL_WAIT}
${SOONG_PROMPT_COLOR_WAIT-33}
${SOONG_PROMPT_SYMBOL_DOWN+=$SOONG_PROMPT_SYMBOL_DOWN}
${SOONG_PROMPT_COLOR_DOWN-31}
${SOONG_PROMPT_FORMAT-}
${SOONG_PROMPT_ASCII-}
${SOONG_PROMPT_SIDE-}
${SOONG_PROMPT_EXPORT-}
${NO_COLOR-}"
    # Nothing that could block.
    if [[ -s $__soong_file && -f $__soong_file ]]; then
        \builtin read -r -d '' __soong_text <"$__soong_file" || :
    fi
    if [[ $__soong_no_clock ]]; then __soong_clock; fi
    # Ten digits each, to be compared as text: nothing that stands in them can be executed.
    # shellcheck disable=SC2071
    if [[ $__soong_text != "$__soong_seen" || $__soong_settings != "$__soong_set" ||
        $__soong_now < $__soong_from || $__soong_now > $__soong_until ]]; then
        __soong_update
    elif [[ ! -e /proc/$__soong_alone/exe ]]; then
        __soong_live || __soong_update
    fi
    case ${PROMPT_COMMAND-} in __soong_hook*) ;; *) __soong_lead ;; esac
    # Whoever names the variable has placed it.
    case ${PS1-} in *SOONG_PROMPT*) ;; *) PS1=$__soong_place${PS1-} ;; esac
    # With errexit this would end the shell, and there the status is always 0 or of no use.
    case $- in *e*) ;; *) \builtin return "$__soong_status" ;; esac
} 2>/dev/null

# Looks at everything anew, and notes how long the answer holds: while the file and the settings stay
# as they are, from __soong_from to __soong_until, and as long as all of __soong_pids live.
__soong_update() {
    local IFS=$' \n' dir text='' line left='' lease=0 worst=0 word='' ups=0 total=0 up='' all=''
    __soong_seen=$__soong_text __soong_set=$__soong_settings
    __soong_from=0 __soong_until=9999999999 __soong_pids=()
    # As src/system/paths/runtime.rs has it. Below the state directory nobody else can put anything.
    case ${XDG_STATE_HOME-} in /*) dir=$XDG_STATE_HOME/soong/run ;; *) dir=${HOME-}/.local/state/soong/run ;; esac
    case ${XDG_RUNTIME_DIR-} in /*) if [[ -O $XDG_RUNTIME_DIR ]]; then dir=$XDG_RUNTIME_DIR/soong; fi ;; esac
    __soong_file=$dir/prompt
    __soong_clock
    if [[ -s $__soong_file && -f $__soong_file ]]; then
        # Not what others put there, which is looked at again each time.
        if [[ -O $__soong_file && -O $dir ]]; then
            \builtin read -r -d '' text <"$__soong_file" || :
        else
            __soong_until=0
        fi
    fi
    text+=$'\n'
    while [[ -n $text ]]; do
        line=${text%%$'\n'*}
        text=${text#*$'\n'}
        case $line in 'soong1 '*) __soong_judge "${line#soong1 }" ;; esac
    done
    if ((lease)); then
        left=$((__soong_now < lease ? (lease - __soong_now) / 60 : 0))
        # Until the next minute.
        __soong_hold $((lease - left * 60 - 59)) $((__soong_now < lease ? lease - left * 60 : __soong_until))
    fi
    case ${#__soong_pids[@]} in
    0) __soong_alone=self ;;
    1) __soong_alone=${__soong_pids[0]} ;;
    *) __soong_alone=none ;;
    esac
    SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT=''
    if ((total)); then __soong_show; fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT ;; esac
    __soong_place=$__soong_segment
    case ${SOONG_PROMPT_SIDE-} in off) __soong_withdraw ;; esac
} 2>/dev/null

# Takes a line apart and counts its tunnel in. The variables are __soong_update's.
__soong_judge() {
    local line=$1 pid until ttl state name end ports rank=3
    local plain=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:,@-
    # One space between fields, so that no field is empty.
    pid=${line%% *} line=${line#* }
    until=${line%% *} line=${line#* }
    ttl=${line%% *} line=${line#* }
    state=${line%% *} line=${line#* }
    name=${line%% *} line=${line#* }
    end=${line%% *} ports=${line#* }
    case $pid:$until:$ttl in
    [123456789]*:[123456789]*:[123456789]*) ;;
    *) return 0 ;;
    esac
    case $pid$until$ttl in *[!0123456789]*) return 0 ;; esac
    case $state:$name:$end:$ports in :* | *::* | *: | *[!$plain]*) return 0 ;; esac
    case $end in
    -) end=0 ;;
    0* | *[!0123456789]*) return 0 ;;
    esac
    if ((${#pid} > 7 || pid < 2 || ${#until} > 12 || ${#ttl} > 3 || ${#end} > 12)); then return 0; fi
    case $state in
    failed) ;;
    up | starting | reconnecting)
        if ((end && (lease == 0 || end < lease))); then lease=$end; fi
        # What should have been renewed, or was promised before the clock was set back, is not believed.
        if ((__soong_now > until)); then
            __soong_hold $((until + 1)) "$__soong_until"
            state=down
        elif ((__soong_now < until - ttl)); then
            __soong_hold 0 $((until - ttl - 1))
            state=down
        else
            __soong_hold $((until - ttl)) "$until"
            if __soong_live "$pid"; then __soong_pids+=("$pid"); else state=down; fi
        fi
        ;;
    *) state=down ;;
    esac
    case $state in
    up)
        rank=0
        if ((ups < 3)); then up+=,$name; fi
        ((ups += 1))
        ;;
    starting) rank=1 ;;
    reconnecting) rank=2 ;;
    esac
    if ((total < 3)); then all+=,$name; fi
    ((total += 1))
    if ((rank >= worst)); then worst=$rank word=$state; fi
}

# Narrows the time for which the answer holds.
__soong_hold() {
    if ((__soong_from < $1)); then __soong_from=$1; fi
    if ((__soong_until > $2)); then __soong_until=$2; fi
}

# Whether these processes live, or all of __soong_pids. The program of a zombie is gone, where that can
# be seen.
__soong_live() {
    local pid
    if (($# == 0)); then \builtin set -- ${__soong_pids[@]+"${__soong_pids[@]}"}; fi
    for pid; do
        if [[ ! -e /proc/$pid/exe ]]; then
            if [[ -e /proc/self/exe ]] || ! \builtin kill -0 "$pid" 2>/dev/null; then return 1; fi
        fi
    done
}

# Sets __soong_now.
__soong_clock() {
    if [[ -z $__soong_epoch ]]; then
        \builtin printf -v __soong_now '%(%s)T' -1
    else
        case ${SECONDS-} in
        '' | *[!0123456789]*) __soong_now=0 ;;
        *) __soong_now=$((__soong_epoch + SECONDS)) ;;
        esac
    fi
}

# Puts together what __soong_update has found, whose variables it uses.
__soong_show() {
    local symbol color text soon='' more limit=${SOONG_PROMPT_LEASE-} format=${SOONG_PROMPT_FORMAT-}
    if ((ups == 0)); then up=$all more=$((total - 3)); else more=$((ups - 3)); fi
    text=${up#,}
    if ((more > 0)); then text+=+$more; fi
    SOONG_STATE=down
    if ((ups == total)); then
        SOONG_STATE=up
    elif ((ups)); then
        text="$ups/$total $text"
    elif ((total > 1)); then
        text="0/$total $text $word"
    else
        text="$text $word"
    fi
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $left ]] && ((left < limit)); then
        if ((left < 60)); then soon=${left}m; else soon=$((left / 60))h$((left % 60))m; fi
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

# Goes back to the first place, before a hook that put itself there and may show what is set here. The
# shell goes through a copy of the array, and a string has been read by now.
__soong_lead() {
    local one i
    case ${PROMPT_COMMAND[0]-} in
    __soong_hook* | *__soong_hook*__soong_hook*) \builtin return 0 ;;
    *__soong_hook*)
        # Others put a command before it into the string, which is not ours to edit: once more, in front.
        PROMPT_COMMAND=__soong_hook$'\n'${PROMPT_COMMAND[0]}
        \builtin return 0
        ;;
    esac
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
    case ${PS1-} in *"$__soong_segment"*) PS1=${PS1%%"$__soong_segment"*}${PS1#*"$__soong_segment"} ;; esac
    __soong_place=''
}

# Has __soong_hook run before each prompt, ahead of others: a theme that renders in a hook of its own
# is to find the variables of this prompt.
__soong_load() {
    # shellcheck disable=SC2016 # For PS1 to expand: text that stands there itself could be executed.
    __soong_segment='${SOONG_PROMPT:+$SOONG_PROMPT }' __soong_text='' __soong_settings=''
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) __soong_symbols='⇄ ↻ ✗' ;;
    *) __soong_symbols='= ~ !' ;;
    esac
    __soong_epoch='' __soong_no_clock=''
    if ((BASH_VERSINFO[0] < 5)); then __soong_no_clock=yes; fi
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
        one=${one#__soong_hook$'\n'}
        if [[ $one == __soong_hook ]]; then continue; fi
        # Where others put a command before it, a command has to stay.
        one=${one//__soong_hook/:}
        kept[${#kept[@]}]=$one
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
    \builtin unset -v __soong_segment __soong_place __soong_symbols __soong_epoch __soong_no_clock __soong_was __soong_alias
    \builtin unset -v __soong_status __soong_text __soong_seen __soong_settings __soong_set __soong_file
    \builtin unset -v __soong_now __soong_from __soong_until __soong_pids __soong_alone
    \builtin unset -f __soong_hook __soong_update __soong_judge __soong_hold __soong_live __soong_clock __soong_show
    \builtin unset -f __soong_lead __soong_withdraw __soong_load soong_unload _soong _soong_command
} 2>/dev/null

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) __soong_load ;;
esac
