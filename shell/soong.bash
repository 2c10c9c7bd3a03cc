# shellcheck shell=bash
# soong in the prompt of bash, 3.2 and later: `eval "$(soong init bash)"`, or source this file.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and others from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it. How it
# gets into PROMPT_COMMAND and PS1, and out of them, is in placement.bash beside this file.
#
# \builtin: whatever functions and aliases the user has made. Errors and traces go nowhere.
#
# PROMPT_COMMAND may be a string or an array, and the variables are for others to use.
# shellcheck disable=SC1091,SC2034,SC2128,SC2154,SC2178,SC2179

# Runs before each prompt, ahead of other hooks. It is short because bash copies a function each time it calls it:
# where nothing has changed, what was shown last still holds, and the rest of this file has nothing to do.
# shellcheck disable=SC2319
__soong_hook() {
    __soong_status=$? __soong_text='' __soong_now=${EPOCHSECONDS-} __soong_ran=yes
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
    if [[ ${PROMPT_COMMAND[*]-}${precmd_functions-} != "$__soong_arranged" ]]; then
        __soong_arrange
        __soong_arranged="${PROMPT_COMMAND[*]-}${precmd_functions-}"
    fi
    # A prompt that names the variable has placed it.
    case ${PS1-} in *SOONG_PROMPT*) ;; *) __soong_put ;; esac
    case ${BASHOPTS-promptvars} in *promptvars*) ;; *) __soong_withdraw ;; esac
    # Aliases that were defined since.
    case ${_soong_aliases-none} in none | "${#BASH_ALIASES[@]}") ;; *) _soong_register ;; esac
    # With errexit this would end the shell, and there the status is always 0 or of no use.
    case $- in *e*) ;; *) \builtin return "$__soong_status" ;; esac
} 2>/dev/null

# Runs before each prompt, behind other hooks, which may have made a new prompt.
__soong_last() {
    local status=$?
    if [[ -z $__soong_ran ]]; then __soong_hook; fi
    __soong_ran=''
    # A hook that draws it, or a program that knows it from the environment, needs no help.
    case $__soong_drawn:${SOONG_PROMPT_EXPORT-} in
    : | :0) case ${PS1-} in *SOONG_PROMPT*) ;; *) __soong_put ;; esac ;;
    esac
    case $- in *e*) ;; *) \builtin return "$status" ;; esac
} 2>/dev/null

# Looks at everything anew, and notes how long the answer holds: while the file and the settings stay
# as they are, from __soong_from to __soong_until, and as long as all of __soong_pids live.
__soong_update() {
    local IFS=$' \n' dir text='' line left='' lease=0 worst=0 bad=failed ups=0 total=0 names
    names=('' '' '' '')
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
        case $line in
        'soong2 '*) __soong_judge "${line#soong2 }" ;;
        # Without a name to show.
        'soong1 '*) __soong_judge "${line#soong1 } -" ;;
        esac
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
    SOONG_STATE='' SOONG_TEXT='' SOONG_PROMPT='' SOONG_UP='' SOONG_WAIT='' SOONG_DOWN=''
    if ((total)); then __soong_show; fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT SOONG_UP SOONG_WAIT SOONG_DOWN ;; esac
    case ${SOONG_PROMPT_SIDE-} in off) __soong_withdraw ;; esac
} 2>/dev/null

# Takes a line apart and counts its tunnel in. The variables are __soong_update's.
__soong_judge() {
    local line=$1 pid until ttl state name end ports shown rank=3
    local plain=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:,@-
    # One space between fields, so that no field is empty.
    pid=${line%% *} line=${line#* }
    until=${line%% *} line=${line#* }
    ttl=${line%% *} line=${line#* }
    state=${line%% *} line=${line#* }
    name=${line%% *} line=${line#* }
    end=${line%% *} line=${line#* }
    ports=${line%% *} shown=${line#* }
    case $pid:$until:$ttl in
    [123456789]*:[123456789]*:[123456789]*) ;;
    *) return 0 ;;
    esac
    case $pid$until$ttl in *[!0123456789]*) return 0 ;; esac
    case $state:$name:$end:$ports:$shown in :* | *::* | *: | *[!$plain]*) return 0 ;; esac
    case $line in "$shown") return 0 ;; esac
    case $shown in -) shown=$name ;; esac
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
    up) rank=0 ups=$((ups + 1)) ;;
    starting) rank=1 ;;
    reconnecting) rank=2 ;;
    down) bad=down ;;
    esac
    names[rank]+=" $shown"
    ((total += 1))
    if ((rank > worst)); then worst=$rank; fi
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
    3) text+=" $bad" ;;
    esac
    if ((worst && total > 1)); then text="$ups/$total $text"; fi
    SOONG_STATE=down
    if ((worst == 0)); then SOONG_STATE=up; fi
    symbol=$__soong_symbols
    case ${SOONG_PROMPT_ASCII-} in '' | 0) ;; *) symbol='= ~ ! ..' ;; esac
    text=${text//../${symbol##* }} symbol=${symbol% *}
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $left ]] && ((left < limit)); then
        soon="${left}m left"
        if ((left >= 60)); then soon="$((left / 60))h$((left % 60))m left"; fi
    fi
    SOONG_TEXT=$text${soon:+ $soon}
    case $worst in
    0)
        SOONG_UP=$SOONG_TEXT
        symbol=${SOONG_PROMPT_SYMBOL_UP-${symbol%% *}} color=${SOONG_PROMPT_COLOR_UP-32}
        if [[ -n $soon ]]; then color=${SOONG_PROMPT_COLOR_WAIT-33}; fi
        ;;
    3)
        SOONG_DOWN=$SOONG_TEXT
        symbol=${SOONG_PROMPT_SYMBOL_DOWN-${symbol##* }} color=${SOONG_PROMPT_COLOR_DOWN-31}
        ;;
    *)
        SOONG_WAIT=$SOONG_TEXT symbol=${symbol#* }
        symbol=${SOONG_PROMPT_SYMBOL_WAIT-${symbol% *}} color=${SOONG_PROMPT_COLOR_WAIT-33}
        ;;
    esac
    if [[ -z $format ]]; then
        SOONG_PROMPT=${symbol:+$symbol }$SOONG_TEXT
    else
        # The user's own text first: what stands in it for data is not looked for in the data.
        for name in symbol text lease; do
            mark="{$name}"
            case $name in symbol) name=$symbol ;; text) name=$text ;; lease) name=$soon ;; esac
            # A part that is empty takes a space with it.
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
        # Readline counts what stands between 001 and 002 as having no width.
        *) SOONG_PROMPT=$'\001\e['$color$'m\002'$SOONG_PROMPT$'\001\e[0m\002' ;;
        esac
    fi
}

# Begins.
__soong_load() {
    # For PS1 to expand: text that stands there itself could be executed. There is no second element to show when
    # the hook has not run for long, because somebody has set PROMPT_COMMAND anew.
    # shellcheck disable=SC2016
    __soong_segment='${SOONG_PROMPT[EPOCHSECONDS>__soong_until+60]:+$SOONG_PROMPT }' __soong_text='' __soong_settings='' __soong_ran=''
    __soong_place=$__soong_segment
    # Behind a pipeline, the hooks of others see its PIPESTATUS, which no function could restore: there
    # __soong_last runs __soong_hook.
    # shellcheck disable=SC2016
    __soong_open='case ${#PIPESTATUS[@]} in 1) __soong_hook ;'$'& *)\n'
    __soong_end=$'\n;; esac' __soong_close=$'\n__soong_last ;; esac'
    if ((BASH_VERSINFO[0] < 4)); then
        __soong_open=$'__soong_hook\n' __soong_end='' __soong_close=$'\n'__soong_last
    fi
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) __soong_symbols='⇄ ↻ ✗ …' ;;
    *) __soong_symbols='= ~ ! ..' ;;
    esac
    __soong_epoch='' __soong_no_clock=''
    if ((BASH_VERSINFO[0] < 5)); then __soong_no_clock=yes; fi
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 402)); then
        # This bash has no clock but SECONDS.
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
    __soong_arranged="${PROMPT_COMMAND[*]-}${precmd_functions-}"
    # Before others wrap what they find there.
    case ${PS1-} in *SOONG_PROMPT*) ;; ?*) __soong_put ;; esac
} 2>/dev/null

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*)
    # There nothing can be written to /dev/null, as everything here does.
    if \builtin shopt -q restricted_shell; then
        \builtin printf 'soong: cannot show tunnels in this prompt: the shell is restricted\n'
    else
        \builtin declare -F __soong_arrange >/dev/null || . "${BASH_SOURCE[0]%/*}/placement.bash"
        __soong_load
    fi
    ;;
esac
