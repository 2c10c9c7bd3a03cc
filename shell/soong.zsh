# Prompt hook for zsh 5.8 and later. Load it with `eval "$(soong init zsh)"`, or source this file.
#
# Before each prompt the hook sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and other variables from the supervisors'
# prompt file (format: src/runtime/prompt.rs). It starts no process and checks every field before it uses it.
# `soong_unload` removes everything.
#
# \builtin bypasses the user's functions and aliases. `emulate sh` can parse this file; each function then sets the
# options that it needs.

# Runs before each prompt, ahead of other hooks. While nothing has changed, the last result stands.
_soong_hook() {
    if [[ -o promptpercent ]]; then _soong_percent=yes; else _soong_percent=; fi
    \builtin emulate -LR zsh
    \builtin typeset text clock='%D{%s}'
    # One line per setting, so that a value that moves to another setting counts as a change.
    _soong_settings="${XDG_RUNTIME_DIR-}
${XDG_STATE_HOME-}
${SOONG_PROMPT_LEASE-}
${SOONG_PROMPT_SYMBOL_IDLE+=$SOONG_PROMPT_SYMBOL_IDLE}
${SOONG_PROMPT_COLOR_IDLE-2}
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
    _soong_now=${(%)clock}
    # Regular files only: reading a FIFO would block. Failing to open a file would print an error.
    if [[ -s $_soong_file && -f $_soong_file && -r $_soong_file ]]; then text=$(<$_soong_file); fi
    if [[ $text != "$_soong_seen" || $_soong_settings != "$_soong_set" ]] ||
        (( _soong_now < _soong_from || _soong_now > _soong_until )); then
        _soong_update
    elif [[ ! -e /proc/$_soong_alone/exe ]]; then
        _soong_live $_soong_pids || _soong_update
    fi
    if [[ "${(j: :)precmd_functions}" != "$_soong_hooks" ]]; then _soong_arrange; fi
    if [[ ":${PROMPT-}:${RPROMPT-${RPS1-}}" != "$_soong_prompts" ]]; then _soong_place; fi
}

# Runs before each prompt, after other hooks, which may have set a new prompt.
_soong_last() {
    case $_soong_drawn:${SOONG_PROMPT_EXPORT-} in
    : | :0) if [[ ":${PROMPT-}:${RPROMPT-${RPS1-}}" != "$_soong_prompts" ]]; then _soong_place; fi ;;
    esac
}

# Evaluates the prompt file. The result stands while the file and the settings stay the same, from _soong_from to
# _soong_until, and while all _soong_pids are alive. The lines are judged in one function, because a call per line would
# take most of the time.
_soong_update() {
    \builtin emulate -LR zsh
    \builtin typeset dir line left bad idle pid until ttl state name end shown stat clock='%D{%s}'
    \builtin typeset -i lease worst=-1 ups total rank from=0 last=9999999999
    \builtin typeset -a names lines fields
    names=('' '' '' '')
    _soong_seen=${text-} _soong_set=$_soong_settings _soong_prompts= _soong_now=${(%)clock} _soong_pids=()
    # Same rules as src/system/paths/runtime.rs.
    case ${XDG_STATE_HOME-} in /*) dir=$XDG_STATE_HOME/soong/run ;; *) dir=${HOME-}/.local/state/soong/run ;; esac
    case ${XDG_RUNTIME_DIR-} in /*) if [[ -O $XDG_RUNTIME_DIR ]]; then dir=$XDG_RUNTIME_DIR/soong; fi ;; esac
    _soong_file=$dir/prompt
    if [[ -s $_soong_file && -f $_soong_file ]]; then
        # Ignore files of other users, and check again at the next prompt.
        if [[ -O $_soong_file && -O $dir ]]; then lines=(${(f)"$(<$_soong_file)"}); else last=0; fi
    fi
    for line in $lines; do
        # Fields are separated by one space and never empty.
        fields=("${(@s: :)line}") rank=3
        case $fields[1]:${#fields} in
        # Version 1 lacks the display name.
        soong1:8) fields+=("$fields[6]") ;;
        soong2:9) ;;
        # An idle tunnel's line does not expire, and names the start of its process.
        soong3:8) fields[3,3]=("$fields[3]" 1) ;;
        *) \builtin continue ;;
        esac
        pid=$fields[2] until=$fields[3] ttl=$fields[4] state=$fields[5] name=$fields[6] end=$fields[7] shown=$fields[9]
        case $pid:$until:$ttl in
        [123456789]*:[123456789]*:[123456789]*) ;;
        *) \builtin continue ;;
        esac
        case $pid$until$ttl in *[!0123456789]*) \builtin continue ;; esac
        case $state:$name:$end:$fields[8]:$shown in
        :* | *::* | *: | *[!A-Za-z0-9._:,@-]*) \builtin continue ;;
        esac
        case $shown in -) shown=$name ;; esac
        case $end in
        -) end=0 ;;
        0* | *[!0123456789]*) \builtin continue ;;
        esac
        if (( ${#pid} > 7 || ${#until} > 12 || ${#ttl} > 3 || ${#end} > 12 || pid < 2 )); then \builtin continue; fi
        case $fields[1]:$state in
        soong3:*)
            stat=
            if [[ -r /proc/$pid/stat ]]; then stat=$(</proc/$pid/stat); fi
            case $stat in
            *' (soong-superviso) '[RSD]' '*)
                # The start is the 20th field after the name.
                if [[ ${${(s: :)${stat##*\) }}[20]} == "$until" ]]; then
                    _soong_pids+=($pid)
                    # Look at the process again after a minute: its PID could be another's then.
                    if (( from < _soong_now )); then from=_soong_now; fi
                    if (( last > _soong_now + 60 )); then (( last = _soong_now + 60 )); fi
                else
                    state=down
                fi
                ;;
            *) state=down ;;
            esac
            ;;
        *:failed) ;;
        *:up | *:idle | *:starting | *:reconnecting)
            if (( end && (lease == 0 || end < lease) )); then lease=$end; fi
            # The line has expired, or the clock was set back since the supervisor wrote it.
            if (( _soong_now > until )); then
                if (( from <= until )); then (( from = until + 1 )); fi
                state=down
            elif (( _soong_now < until - ttl )); then
                if (( last >= until - ttl )); then (( last = until - ttl - 1 )); fi
                state=down
            else
                if (( from < until - ttl )); then (( from = until - ttl )); fi
                if (( last > until )); then last=$until; fi
                if [[ -e /proc/$pid/exe ]] || _soong_live $pid; then _soong_pids+=($pid); else state=down; fi
            fi
            ;;
        *) state=down ;;
        esac
        case $state in
        idle)
            idle+=" $shown"
            \builtin continue
            ;;
        up) rank=0 ups+=1 ;;
        starting) rank=1 ;;
        reconnecting) rank=2 ;;
        *) if [[ ${bad:-$state} == "$state" ]]; then bad=$state; else bad=down; fi ;;
        esac
        names[rank+1]+=" $shown"
        total+=1
        if (( rank > worst )); then worst=$rank; fi
    done
    if (( lease )); then
        left=$(( _soong_now < lease ? (lease - _soong_now) / 60 : 0 ))
        # The minutes shown change then.
        if (( from < lease - left * 60 - 59 )); then (( from = lease - left * 60 - 59 )); fi
        if (( _soong_now < lease && last > lease - left * 60 )); then (( last = lease - left * 60 )); fi
    fi
    _soong_from=$from _soong_until=$last
    case ${#_soong_pids} in
    0) _soong_alone=self ;;
    1) _soong_alone=$_soong_pids ;;
    *) _soong_alone=none ;;
    esac
    if [[ -n $idle ]] && (( total == 0 )); then worst=4 names[5]=$idle; fi
    \builtin typeset -g SOONG_STATE= SOONG_TEXT= SOONG_PROMPT= SOONG_IDLE= SOONG_UP= SOONG_WAIT= SOONG_DOWN=
    if (( worst >= 0 )); then _soong_show; fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT SOONG_IDLE SOONG_UP SOONG_WAIT SOONG_DOWN ;; esac
} 2>/dev/null

# True if all of these processes are alive. A zombie has no /proc/PID/exe.
_soong_live() {
    \builtin emulate -LR zsh
    \builtin typeset pid
    for pid; do
        if [[ ! -e /proc/$pid/exe ]]; then
            if [[ -e /proc/self/exe ]] || ! \builtin kill -0 $pid 2>/dev/null; then \builtin return 1; fi
        fi
    done
}

# Sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and others from the variables of _soong_update.
_soong_show() {
    \builtin emulate -LR zsh
    \builtin typeset text name mark soon symbol color limit=${SOONG_PROMPT_LEASE-} format=${SOONG_PROMPT_FORMAT-}
    \builtin typeset -i more shown
    for name in ${(s: :)names[worst+1]}; do
        if (( shown == 0 )); then
            text=$name
        elif (( shown < 3 && ${#text} + ${#name} < 30 )); then
            text+=,$name
        else
            more+=1
            continue
        fi
        shown+=1
    done
    if (( more )); then text+=+$more; fi
    case $worst in
    1) text+=' starting' ;;
    2) text+=' reconnecting' ;;
    3) text+=" ${bad//-/ }" ;;
    4) text+=' idle' ;;
    esac
    if (( worst && total > 1 )); then text="$ups/$total $text"; fi
    SOONG_STATE=down
    case $worst in 0) SOONG_STATE=up ;; 4) SOONG_STATE=idle ;; esac
    symbol=$_soong_symbols
    case ${SOONG_PROMPT_ASCII-} in '' | 0) ;; *) symbol='- = ~ ! ..' ;; esac
    text=${text//../${symbol##* }} symbol=${symbol% *}
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $left ]] && (( left < limit )); then
        soon="${left}m left"
        if (( left >= 60 )); then soon="$(( left / 60 ))h$(( left % 60 ))m left"; fi
    fi
    SOONG_TEXT=$text${soon:+ $soon}
    case $worst in
    0)
        SOONG_UP=$SOONG_TEXT symbol=${symbol#* }
        symbol=${SOONG_PROMPT_SYMBOL_UP-${symbol%% *}} color=${SOONG_PROMPT_COLOR_UP-32}
        if [[ -n $soon ]]; then color=${SOONG_PROMPT_COLOR_WAIT-33}; fi
        ;;
    3) SOONG_DOWN=$SOONG_TEXT symbol=${SOONG_PROMPT_SYMBOL_DOWN-${symbol##* }} color=${SOONG_PROMPT_COLOR_DOWN-31} ;;
    4) SOONG_IDLE=$SOONG_TEXT symbol=${SOONG_PROMPT_SYMBOL_IDLE-${symbol%% *}} color=${SOONG_PROMPT_COLOR_IDLE-2} ;;
    *)
        SOONG_WAIT=$SOONG_TEXT symbol=${symbol#* * }
        symbol=${SOONG_PROMPT_SYMBOL_WAIT-${symbol% *}} color=${SOONG_PROMPT_COLOR_WAIT-33}
        ;;
    esac
    if [[ -z $format ]]; then
        SOONG_PROMPT=${symbol:+$symbol }$SOONG_TEXT
    else
        # Replaces placeholders of the format only, never text inside a name.
        for mark name in '{symbol}' "$symbol" '{text}' "$text" '{lease}' "$soon"; do
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
        *) SOONG_PROMPT=$'%{\e['$color$'m%}'$SOONG_PROMPT$'%{\e[0m%}' ;;
        esac
    fi
}

# Adds the segment to PROMPT or RPROMPT, removes it from the other, and remembers both. Other scripts wrap, save and
# restore prompts with the segment in them, so two conditions without text mark its beginning and its end.
_soong_place() {
    \builtin emulate -LR zsh
    \builtin typeset left= right= all=${PROMPT-}${RPROMPT-${RPS1-}}
    # A prompt that names SOONG_PROMPT shows the segment already. powerlevel10k, and starship with
    # SOONG_PROMPT_EXPORT, draw it as a segment of their own.
    case ${SOONG_PROMPT_SIDE-}:$_soong_percent:$all in
    off:* | *::* | *SOONG_PROMPT*) ;;
    left:*) left=$SOONG_PROMPT ;;
    *)
        case ${+functions[p10k]}${+functions[starship_precmd]}${+functions[prompt_starship_precmd]}:${SOONG_PROMPT_EXPORT-} in
        1* | 0*1*:[!0]*) ;;
        *) right=$SOONG_PROMPT ;;
        esac
        ;;
    esac
    _soong_insert "${PROMPT-}" "$left" ' '
    if [[ ${PROMPT-} != "$_soong_changed" ]]; then PROMPT=$_soong_changed; fi
    _soong_insert "${RPROMPT-${RPS1-}}" "$right" ''
    if [[ ${RPROMPT-${RPS1-}} != "$_soong_changed" ]]; then
        # RPS1 and RPROMPT share one value, but zsh shows it only by the name that was set.
        if (( ${+RPS1} && ! ${+RPROMPT} )); then RPS1=$_soong_changed; else RPROMPT=$_soong_changed; fi
    fi
    _soong_prompts=:${PROMPT-}:${RPROMPT-${RPS1-}}
}

# Sets _soong_changed to the prompt $1 with the segment $2, which replaces an old segment or else follows the marks of
# the terminal at the beginning. $3 follows the segment if the rest of the prompt is empty.
_soong_insert() {
    \builtin emulate -LR zsh
    \builtin typeset before= rest=$1
    if [[ $rest == *"$_soong_begin"*"$_soong_end"* ]]; then
        before=${rest%%"$_soong_begin"*} rest=${rest#*"$_soong_end"}
        while [[ $rest == *"$_soong_begin"*"$_soong_end"* ]]; do
            rest=${rest%%"$_soong_begin"*}${rest#*"$_soong_end"}
        done
    else
        while [[ $rest == $'%{\e]'*%\}* ]]; do
            before+=${rest%%\%\}*}%\} rest=${rest#*%\}}
        done
    fi
    # No space before the terminal's marks.
    \builtin typeset gap=${${rest#$'%{\e]'*%\}}:+ }
    _soong_changed=$before${2:+$_soong_begin$2${gap:-$3}$_soong_end}$rest
}

# Puts _soong_hook before the other hooks, which may use its variables, and _soong_last after them.
_soong_arrange() {
    \builtin emulate -LR zsh
    \builtin typeset one
    precmd_functions=(${precmd_functions:#_soong_(hook|last)})
    _soong_drawn=
    for one in $precmd_functions; do
        # A hook that uses the variables draws them itself.
        if [[ ${functions[$one]-} == *SOONG_[PSTIUWD]* ]]; then _soong_drawn=yes; fi
    done
    if (( ${#precmd_functions} )); then precmd_functions+=(_soong_last); fi
    precmd_functions=(_soong_hook $precmd_functions)
    _soong_hooks=${(j: :)precmd_functions}
}

# Sets the hook up.
_soong_load() {
    \builtin emulate -LR zsh
    # Remove the segment of an older version.
    if [[ -n ${_soong_placed-} ]]; then
        RPROMPT=${RPROMPT/"$_soong_placed"/} PROMPT=${PROMPT/"$_soong_placed"/}
        \builtin unset _soong_placed
    fi
    \builtin typeset -g _soong_begin='%(7001?..)' _soong_end='%(7002?..)' _soong_symbols='- = ~ ! ..' _soong_percent=yes
    \builtin typeset -g _soong_settings= _soong_set= _soong_seen= _soong_prompts= _soong_file= _soong_alone=
    \builtin typeset -g _soong_changed= _soong_drawn= _soong_hooks= _soong_right=${_soong_right-${RPS1+set}${RPROMPT+set}}
    \builtin typeset -gi _soong_now _soong_from _soong_until
    \builtin typeset -ga _soong_pids
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) _soong_symbols='◦ ⇄ ↻ ✗ …' ;;
    esac
    \builtin typeset -ga precmd_functions
    _soong_arrange
    _soong_update
}

# Removes everything that the hook and the completion have set.
soong_unload() {
    \builtin emulate -LR zsh
    \builtin typeset name
    SOONG_PROMPT=
    _soong_place
    # Other scripts may restore a prompt that they saved with the segment.
    for name in ${(k)parameters[(R)scalar*]}; do
        if [[ $parameters[$name] != *readonly* && ${(P)name} == *"$_soong_begin"*"$_soong_end"* ]]; then
            _soong_insert "${(P)name}" '' ''
            \builtin typeset -g "$name=$_soong_changed"
        fi
    done
    if [[ -z $_soong_right && -z ${RPROMPT-} ]]; then \builtin unset RPROMPT; fi
    precmd_functions=(${precmd_functions:#_soong_(hook|last|register_late)})
    if [[ -n ${_soong_alias-} ]]; then \builtin unalias -- $_soong_alias; fi
    if (( ${+functions[compdef]} )); then
        for name in ${(k)_comps}; do
            if [[ ${_comps[$name]} == _soong ]]; then compdef -d $name; fi
        done
    elif (( ${+functions[_soong_register]} )); then
        _soong_register none
        \builtin unset _soong_described _soong_going_on _soong_rest
        \builtin unfunction _soong_register _soong_register_late _soong_without_compinit _soong_without_compinit_rest
    fi
    if (( ${+functions[_soong_command]} )); then \builtin unfunction _soong _soong_command; fi
    \builtin unset SOONG_STATE SOONG_TEXT SOONG_PROMPT SOONG_IDLE SOONG_UP SOONG_WAIT SOONG_DOWN _soong_begin _soong_end _soong_symbols _soong_alias _soong_completer
    \builtin unset _soong_settings _soong_set _soong_seen _soong_prompts _soong_file _soong_hooks _soong_drawn
    \builtin unset _soong_now _soong_from _soong_until _soong_pids _soong_alone _soong_changed _soong_percent _soong_right
    \builtin unfunction _soong_hook _soong_last _soong_update _soong_live _soong_show
    \builtin unfunction _soong_place _soong_insert _soong_arrange _soong_load soong_unload
}

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) _soong_load ;;
esac
