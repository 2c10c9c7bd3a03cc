# shellcheck shell=bash
# Prompt hook for bash 3.2 and later. Load it with `eval "$(soong init bash)"`, or source this file.
#
# Before each prompt the hook sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and other variables from the supervisors'
# prompt file (format: src/runtime/prompt.rs). It starts no process and checks every field before it uses it.
# `soong_unload` removes everything. placement.bash adds the hook to PROMPT_COMMAND and the segment to PS1.
#
# \builtin bypasses the user's functions and aliases. 2>/dev/null hides errors and the trace of `set -x`.
#
# PROMPT_COMMAND may be a string or an array; prompts use the variables.
# shellcheck disable=SC1091,SC2034,SC2128,SC2154,SC2178,SC2179

# Runs before each prompt, ahead of other hooks. While nothing has changed, the last result stands. The function is
# short because bash copies a function for each call.
# shellcheck disable=SC2319
__soong_hook() {
    __soong_status=$? __soong_text='' __soong_now=${EPOCHSECONDS-} __soong_ran=yes
    # Reading a FIFO would block; it has no size.
    if [[ -s $__soong_file ]]; then \builtin read -r -d '' __soong_text <"$__soong_file" || :; fi
    if [[ $__soong_no_clock ]]; then __soong_clock; fi
    # A slash per setting, so that a value that moves to another setting counts as a change. No quotes: they would
    # double the time.
    __soong_input=$__soong_text/${XDG_RUNTIME_DIR-}/${XDG_STATE_HOME-}/${SOONG_PROMPT_LEASE-}/${SOONG_PROMPT_FORMAT-}/\
${SOONG_PROMPT_SYMBOL_IDLE+=$SOONG_PROMPT_SYMBOL_IDLE}/${SOONG_PROMPT_COLOR_IDLE-2}/\
${SOONG_PROMPT_SYMBOL_UP+=$SOONG_PROMPT_SYMBOL_UP}/${SOONG_PROMPT_COLOR_UP-32}/\
${SOONG_PROMPT_SYMBOL_WAIT+=$SOONG_PROMPT_SYMBOL_WAIT}/${SOONG_PROMPT_COLOR_WAIT-33}/\
${SOONG_PROMPT_SYMBOL_DOWN+=$SOONG_PROMPT_SYMBOL_DOWN}/${SOONG_PROMPT_COLOR_DOWN-31}/\
${SOONG_PROMPT_ASCII-}/${SOONG_PROMPT_SIDE-}/${SOONG_PROMPT_EXPORT-}/${NO_COLOR-}
    # Times have ten digits and compare as text. An arithmetic comparison would execute $(…) in them.
    # shellcheck disable=SC2071
    if [[ $__soong_input != "$__soong_seen" || $__soong_now < $__soong_from || $__soong_now > $__soong_until ]]; then
        __soong_update
    elif [[ ! -e /proc/$__soong_alone/exe ]]; then
        __soong_live || __soong_update
    fi
    case ${PROMPT_COMMAND[*]-}${precmd_functions-}/${PS1-}/${BASHOPTS-promptvars}/${_soong_aliases+${#BASH_ALIASES[@]}} in
    "$__soong_arranged") ;;
    *) __soong_tend ;;
    esac
    # With errexit, a status other than 0 would end the shell.
    case $- in *e*) ;; *) \builtin return "$__soong_status" ;; esac
} 2>/dev/null

# Keeps the hook, the segment and the completion in place. Nothing is to do while the variables that it remembers stay
# the same.
__soong_tend() {
    if [[ ${PROMPT_COMMAND[*]-}${precmd_functions-} != "$__soong_order" ]]; then
        __soong_arrange
        __soong_order="${PROMPT_COMMAND[*]-}${precmd_functions-}"
    fi
    case ${BASHOPTS-promptvars} in *promptvars*) ;; *) __soong_withdraw ;; esac
    # A PS1 that names SOONG_PROMPT shows the segment already.
    case ${PS1-} in *SOONG_PROMPT*) ;; *) __soong_put ;; esac
    # Complete aliases that were defined after the hook was loaded.
    case ${_soong_aliases-none} in none | "${#BASH_ALIASES[@]}") ;; *) _soong_register ;; esac
    __soong_arranged=${PROMPT_COMMAND[*]-}${precmd_functions-}/${PS1-}/${BASHOPTS-promptvars}/${_soong_aliases+${#BASH_ALIASES[@]}}
}

# Runs before each prompt, after other hooks, which may have set a new PS1.
__soong_last() {
    local status=$?
    if [[ -z $__soong_ran ]]; then __soong_hook; fi
    __soong_ran=''
    # Skip prompts drawn by a hook that uses the variables, or by a program that reads them from the environment.
    case $__soong_drawn:${SOONG_PROMPT_EXPORT-} in
    : | :0) case ${PS1-} in *SOONG_PROMPT*) ;; *) __soong_put ;; esac ;;
    esac
    case $- in *e*) ;; *) \builtin return "$status" ;; esac
} 2>/dev/null

# Evaluates the prompt file. The result stands while the file and the settings stay the same, from __soong_from to
# __soong_until, and while all __soong_pids are alive. The lines are judged in one function, because bash copies a
# function for each call.
__soong_update() {
    local IFS=$' \n' dir lines line left='' lease=0 worst=-1 bad='' ups=0 total=0 idle='' names
    local mark pid until ttl state name end ports shown stat rank from=0 last=9999999999
    local plain=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:,@-
    names=('' '' '' '') lines=()
    __soong_seen=$__soong_input __soong_pids=()
    # Same rules as src/system/paths/runtime.rs.
    case ${XDG_STATE_HOME-} in /*) dir=$XDG_STATE_HOME/soong/run ;; *) dir=${HOME-}/.local/state/soong/run ;; esac
    case ${XDG_RUNTIME_DIR-} in /*) if [[ -O $XDG_RUNTIME_DIR ]]; then dir=$XDG_RUNTIME_DIR/soong; fi ;; esac
    __soong_file=$dir/prompt
    __soong_clock
    if [[ -s $__soong_file && -f $__soong_file ]]; then
        # Ignore files of other users, and check again at the next prompt.
        if [[ -O $__soong_file && -O $dir ]]; then
            IFS=$'\n' \builtin read -r -d '' -a lines <"$__soong_file" || :
        else
            last=0
        fi
    fi
    for line in ${lines[@]+"${lines[@]}"}; do
        # Fields are separated by one space and never empty.
        mark=${line%% *} line=${line#* }
        pid=${line%% *} line=${line#* }
        until=${line%% *} line=${line#* }
        case $mark in
        soong2) ttl=${line%% *} line=${line#* } ;;
        # Version 1 lacks the display name.
        soong1) ttl=${line%% *} line="${line#* } -" ;;
        # An idle tunnel's line does not expire, and names the start of its process.
        soong3) ttl=1 ;;
        *) \builtin continue ;;
        esac
        state=${line%% *} line=${line#* }
        name=${line%% *} line=${line#* }
        end=${line%% *} line=${line#* }
        ports=${line%% *} shown=${line#* } rank=3
        case $pid:$until:$ttl in
        [123456789]*:[123456789]*:[123456789]*) ;;
        *) \builtin continue ;;
        esac
        case $pid$until$ttl in *[!0123456789]*) \builtin continue ;; esac
        case $state:$name:$end:$ports:$shown in :* | *::* | *: | *[!$plain]*) \builtin continue ;; esac
        case $line in "$shown") \builtin continue ;; esac
        case $shown in -) shown=$name ;; esac
        case $end in
        -) end=0 ;;
        0* | *[!0123456789]*) \builtin continue ;;
        esac
        if ((${#pid} > 7 || pid < 2 || ${#until} > 12 || ${#ttl} > 3 || ${#end} > 12)); then \builtin continue; fi
        case $mark:$state in
        soong3:*)
            stat=''
            \builtin read -r -d '' stat <"/proc/$pid/stat" || :
            case $stat in
            *' (soong-superviso) '[RSD]' '*)
                # The start is the 20th field after the name.
                # shellcheck disable=SC2086
                \builtin set -- ${stat##*) }
                if [[ ${20-} == "$until" ]]; then
                    __soong_pids+=("$pid")
                    # Look at the process again after a minute: its PID could be another's then.
                    ((from = from < __soong_now ? __soong_now : from, last = last > __soong_now + 60 ? __soong_now + 60 : last))
                else
                    state=down
                fi
                ;;
            *) state=down ;;
            esac
            ;;
        *:failed) ;;
        *:up | *:idle | *:starting | *:reconnecting)
            if ((end && (lease == 0 || end < lease))); then lease=$end; fi
            # The line has expired, or the clock was set back since the supervisor wrote it.
            if ((__soong_now > until)); then
                ((from = from <= until ? until + 1 : from))
                state=down
            elif ((__soong_now < until - ttl)); then
                ((last = last >= until - ttl ? until - ttl - 1 : last))
                state=down
            else
                ((from = from < until - ttl ? until - ttl : from, last = last > until ? until : last))
                if [[ -e /proc/$pid/exe ]] || __soong_live "$pid"; then __soong_pids+=("$pid"); else state=down; fi
            fi
            ;;
        *) state=down ;;
        esac
        case $state in
        idle)
            idle+=" $shown"
            \builtin continue
            ;;
        up) rank=0 ups=$((ups + 1)) ;;
        starting) rank=1 ;;
        reconnecting) rank=2 ;;
        *) if [[ ${bad:-$state} == "$state" ]]; then bad=$state; else bad=down; fi ;;
        esac
        names[rank]+=" $shown"
        ((total += 1))
        if ((rank > worst)); then worst=$rank; fi
    done
    if ((lease)); then
        left=$((__soong_now < lease ? (lease - __soong_now) / 60 : 0))
        # The minutes shown change then.
        line=$((lease - left * 60 - 59)) end=$((lease - left * 60))
        if ((from < line)); then from=$line; fi
        if ((__soong_now < lease && last > end)); then last=$end; fi
    fi
    __soong_from=$from __soong_until=$last
    case ${#__soong_pids[@]} in
    0) __soong_alone=self ;;
    1) __soong_alone=${__soong_pids[0]} ;;
    *) __soong_alone=none ;;
    esac
    if [[ -n $idle && $total == 0 ]]; then worst=4 names[4]=$idle; fi
    SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT='' SOONG_IDLE='' SOONG_UP='' SOONG_WAIT='' SOONG_DOWN=''
    if ((worst >= 0)); then __soong_show; fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT SOONG_IDLE SOONG_UP SOONG_WAIT SOONG_DOWN ;; esac
    case ${SOONG_PROMPT_SIDE-} in off) __soong_withdraw ;; esac
} 2>/dev/null

# True if all of these processes, by default __soong_pids, are alive. A zombie has no /proc/PID/exe.
__soong_live() {
    local pid
    if (($# == 0)); then \builtin set -- ${__soong_pids[@]+"${__soong_pids[@]}"}; fi
    for pid; do
        if [[ ! -e /proc/$pid/exe ]]; then
            if [[ -e /proc/self/exe ]] || ! \builtin kill -0 "$pid" 2>/dev/null; then return 1; fi
        fi
    done
}

# Sets __soong_now to the seconds since the epoch, in a bash without EPOCHSECONDS.
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

# Sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and others from the variables of __soong_update.
__soong_show() {
    local name text='' more=0 shown=0 soon='' symbol color mark limit=${SOONG_PROMPT_LEASE-} format=${SOONG_PROMPT_FORMAT-}
    for name in ${names[worst]}; do
        if ((shown == 0)); then
            text=$name
        elif ((shown < 3 && ${#text} + ${#name} < 30)); then
            text+=,$name
        else
            ((more += 1))
            continue
        fi
        ((shown += 1))
    done
    if ((more)); then text+=+$more; fi
    case $worst in
    1) text+=' starting' ;;
    2) text+=' reconnecting' ;;
    3) text+=" ${bad//-/ }" ;;
    4) text+=' idle' ;;
    esac
    if ((worst && total > 1)); then text="$ups/$total $text"; fi
    SOONG_STATE=down
    case $worst in 0) SOONG_STATE=up ;; 4) SOONG_STATE=idle ;; esac
    symbol=$__soong_symbols
    case ${SOONG_PROMPT_ASCII-} in '' | 0) ;; *) symbol='- = ~ ! ..' ;; esac
    text=${text//../${symbol##* }} symbol=${symbol% *}
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $left ]] && ((left < limit)); then
        soon="${left}m left"
        if ((left >= 60)); then soon="$((left / 60))h$((left % 60))m left"; fi
    fi
    SOONG_TEXT=$text${soon:+ $soon}
    case $worst in
    0)
        SOONG_UP=$SOONG_TEXT symbol=${symbol#* }
        symbol=${SOONG_PROMPT_SYMBOL_UP-${symbol%% *}} color=${SOONG_PROMPT_COLOR_UP-32}
        if [[ -n $soon ]]; then color=${SOONG_PROMPT_COLOR_WAIT-33}; fi
        ;;
    3)
        SOONG_DOWN=$SOONG_TEXT
        symbol=${SOONG_PROMPT_SYMBOL_DOWN-${symbol##* }} color=${SOONG_PROMPT_COLOR_DOWN-31}
        ;;
    4)
        SOONG_IDLE=$SOONG_TEXT
        symbol=${SOONG_PROMPT_SYMBOL_IDLE-${symbol%% *}} color=${SOONG_PROMPT_COLOR_IDLE-2}
        ;;
    *)
        SOONG_WAIT=$SOONG_TEXT symbol=${symbol#* * }
        symbol=${SOONG_PROMPT_SYMBOL_WAIT-${symbol% *}} color=${SOONG_PROMPT_COLOR_WAIT-33}
        ;;
    esac
    if [[ -z $format ]]; then
        SOONG_PROMPT=${symbol:+$symbol }$SOONG_TEXT
    else
        # Replaces placeholders of the format only, never text inside a name.
        for name in symbol text lease; do
            mark="{$name}"
            case $name in symbol) name=$symbol ;; text) name=$text ;; lease) name=$soon ;; esac
            # An empty part takes one space with it.
            if [[ -z $name ]]; then
                case $format in *" $mark"*) mark=" $mark" ;; *"$mark "*) mark="$mark " ;; esac
            fi
            case $format in *"$mark"*) format=${format%%"$mark"*}$name${format#*"$mark"} ;; esac
        done
        SOONG_PROMPT=$format
    fi
    if [[ -z ${NO_COLOR-} ]]; then
        case $color in
        '' | *[!0123456789\;]*) ;;
        # Readline counts text between 001 and 002 as having no width.
        *) SOONG_PROMPT=$'\001\e['$color$'m\002'$SOONG_PROMPT$'\001\e[0m\002' ;;
        esac
    fi
}

# Sets the hook up.
__soong_load() {
    # PS1 expands the variable: the text itself would be expanded twice and could execute commands. If PROMPT_COMMAND
    # was replaced and the hook no longer runs, the subscript becomes 1 a minute after __soong_until and hides the
    # segment.
    # shellcheck disable=SC2016
    __soong_segment='${SOONG_PROMPT[EPOCHSECONDS>__soong_until+60]:+$SOONG_PROMPT }' __soong_text='' __soong_input='' __soong_ran='' __soong_arranged=''
    __soong_place=$__soong_segment
    # Other hooks need the PIPESTATUS of a pipeline, and no function can restore it. After a pipeline, __soong_last
    # therefore runs __soong_hook behind them.
    # shellcheck disable=SC2016
    __soong_open='case ${#PIPESTATUS[@]} in 1) __soong_hook ;'$'& *)\n'
    __soong_end=$'\n;; esac' __soong_close=$'\n__soong_last ;; esac'
    if ((BASH_VERSINFO[0] < 4)); then
        __soong_open=$'__soong_hook\n' __soong_end='' __soong_close=$'\n'__soong_last
    fi
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) __soong_symbols='◦ ⇄ ↻ ✗ …' ;;
    *) __soong_symbols='- = ~ ! ..' ;;
    esac
    __soong_epoch='' __soong_no_clock=''
    if ((BASH_VERSINFO[0] < 5)); then __soong_no_clock=yes; fi
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 402)); then
        # SECONDS is the only clock of this bash.
        __soong_epoch=$(\command date +%s) || __soong_epoch=0
        ((__soong_epoch -= SECONDS)) || :
    fi
    __soong_update
    if [[ -z ${__soong_was-} ]]; then
        __soong_was=none
        if [[ -n ${PROMPT_COMMAND+set} ]]; then __soong_was=string; fi
        case $(\builtin declare -p PROMPT_COMMAND) in 'declare -a'*) __soong_was=array ;; esac
    fi
    __soong_arrange begin
    __soong_order="${PROMPT_COMMAND[*]-}${precmd_functions-}"
    # Scripts loaded later may wrap PS1.
    case ${PS1-} in *SOONG_PROMPT*) ;; ?*) __soong_put ;; esac
} 2>/dev/null

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*)
    # A restricted shell cannot redirect to /dev/null, which every function here does.
    if \builtin shopt -q restricted_shell; then
        \builtin printf 'soong: cannot show tunnels in this prompt: the shell is restricted\n'
    else
        \builtin declare -F __soong_arrange >/dev/null || . "${BASH_SOURCE[0]%/*}/placement.bash"
        __soong_load
    fi
    ;;
esac
