# soong in the prompt of zsh, 5.8 and later: `eval "$(soong init zsh)"`, or source this file.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT and SOONG_PROMPT from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it.
#
# \builtin: whatever functions and aliases the user has made. The syntax is what `emulate sh` can
# parse too; each function then sets the options that it needs.

# What runs before each prompt. Where nothing has changed, what was shown last still holds, and the rest of
# this file has nothing to do.
_soong_hook() {
    \builtin emulate -LR zsh
    \builtin typeset text clock='%D{%s}'
    # A line each: a value that moves from one to the next is a change.
    _soong_settings="${XDG_RUNTIME_DIR-}
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
    _soong_now=${(%)clock}
    # Nothing that could block, and nothing that could fail to open.
    if [[ -s $_soong_file && -f $_soong_file && -r $_soong_file ]]; then text=$(<$_soong_file); fi
    if [[ $text != "$_soong_seen" || $_soong_settings != "$_soong_set" ]] ||
        (( _soong_now < _soong_from || _soong_now > _soong_until )); then
        _soong_update
    elif [[ ! -e /proc/$_soong_alone/exe ]]; then
        _soong_live $_soong_pids || _soong_update
    fi
    # Before a hook that put itself first and may show what is set here; from the next prompt on.
    if [[ ${precmd_functions[1]-} != _soong_hook ]]; then
        precmd_functions=(_soong_hook ${precmd_functions:#_soong_hook})
    fi
    if [[ :${PROMPT-}:${RPROMPT-} != "$_soong_prompts" ]]; then _soong_place; fi
}

# Looks at everything anew, and notes how long the answer holds: while the file and the settings stay
# as they are, from _soong_from to _soong_until, and as long as all of _soong_pids live.
_soong_update() {
    \builtin emulate -LR zsh
    \builtin typeset dir line left word clock='%D{%s}'
    \builtin typeset -i lease worst
    \builtin typeset -a names up
    _soong_seen=${text-} _soong_set=$_soong_settings _soong_prompts= _soong_now=${(%)clock}
    _soong_from=0 _soong_until=9999999999 _soong_pids=()
    # As src/system/paths/runtime.rs has it. Below the state directory nobody else can put anything.
    case ${XDG_STATE_HOME-} in /*) dir=$XDG_STATE_HOME/soong/run ;; *) dir=${HOME-}/.local/state/soong/run ;; esac
    case ${XDG_RUNTIME_DIR-} in /*) if [[ -O $XDG_RUNTIME_DIR ]]; then dir=$XDG_RUNTIME_DIR/soong; fi ;; esac
    _soong_file=$dir/prompt
    if [[ -s $_soong_file && -f $_soong_file ]]; then
        # Not what others put there, which is looked at again each time.
        if [[ -O $_soong_file && -O $dir ]]; then
            for line in ${(f)"$(<$_soong_file)"}; do _soong_judge; done
        else
            _soong_until=0
        fi
    fi
    if (( lease )); then
        left=$(( _soong_now < lease ? (lease - _soong_now) / 60 : 0 ))
        # Until the next minute.
        _soong_hold $(( lease - left * 60 - 59 )) $(( _soong_now < lease ? lease - left * 60 : _soong_until ))
    fi
    case ${#_soong_pids} in
    0) _soong_alone=self ;;
    1) _soong_alone=$_soong_pids ;;
    *) _soong_alone=none ;;
    esac
    \builtin typeset -g SOONG_STATE= SOONG_TEXT= SOONG_PROMPT=
    if (( ${#names} )); then _soong_show; fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT ;; esac
} 2>/dev/null

# Takes a line apart and counts its tunnel in. The variables are _soong_update's.
_soong_judge() {
    \builtin emulate -LR zsh
    \builtin typeset pid until ttl state name end
    \builtin typeset -i rank=3
    \builtin typeset -a fields
    # One space between fields, so that no field is empty.
    fields=("${(@s: :)line}")
    if (( ${#fields} != 8 )); then \builtin return 0; fi
    pid=$fields[2] until=$fields[3] ttl=$fields[4] state=$fields[5] name=$fields[6] end=$fields[7]
    case $fields[1]:$pid:$until:$ttl in
    soong1:[123456789]*:[123456789]*:[123456789]*) ;;
    *) \builtin return 0 ;;
    esac
    case $pid$until$ttl in *[!0123456789]*) \builtin return 0 ;; esac
    case $state:$name:$end:$fields[8] in :* | *::* | *: | *[!A-Za-z0-9._:,@-]*) \builtin return 0 ;; esac
    case $end in
    -) end=0 ;;
    0* | *[!0123456789]*) \builtin return 0 ;;
    esac
    if (( ${#pid} > 7 || ${#until} > 12 || ${#ttl} > 3 || ${#end} > 12 || pid < 2 )); then \builtin return 0; fi
    case $state in
    failed) ;;
    up | starting | reconnecting)
        if (( end && (lease == 0 || end < lease) )); then lease=$end; fi
        # What should have been renewed, or was promised before the clock was set back, is not believed.
        if (( _soong_now > until )); then
            _soong_hold $(( until + 1 )) $_soong_until
            state=down
        elif (( _soong_now < until - ttl )); then
            _soong_hold 0 $(( until - ttl - 1 ))
            state=down
        else
            _soong_hold $(( until - ttl )) $until
            if _soong_live $pid; then _soong_pids+=($pid); else state=down; fi
        fi
        ;;
    *) state=down ;;
    esac
    case $state in
    up)
        rank=0
        up+=($name)
        ;;
    starting) rank=1 ;;
    reconnecting) rank=2 ;;
    esac
    names+=($name)
    if (( rank >= worst )); then worst=$rank word=$state; fi
}

# Narrows the time for which the answer holds.
_soong_hold() {
    if (( _soong_from < $1 )); then _soong_from=$1; fi
    if (( _soong_until > $2 )); then _soong_until=$2; fi
}

# Whether these processes live. The program of a zombie is gone, where that can be seen.
_soong_live() {
    \builtin emulate -LR zsh
    \builtin typeset pid
    for pid; do
        if [[ ! -e /proc/$pid/exe ]]; then
            if [[ -e /proc/self/exe ]] || ! \builtin kill -0 $pid 2>/dev/null; then \builtin return 1; fi
        fi
    done
}

# Puts together what has been found. The variables are _soong_update's.
_soong_show() {
    \builtin emulate -LR zsh
    \builtin typeset text soon symbol color limit=${SOONG_PROMPT_LEASE-} format=${SOONG_PROMPT_FORMAT-}
    \builtin typeset -i ups=${#up} total=${#names}
    if (( ups == 0 )); then up=($names); fi
    text=${(j:,:)up[1,3]}
    if (( ${#up} > 3 )); then text+=+$(( ${#up} - 3 )); fi
    SOONG_STATE=down
    if (( ups == total )); then
        SOONG_STATE=up
    elif (( ups )); then
        text="$ups/$total $text"
    elif (( total > 1 )); then
        text="0/$total $text $word"
    else
        text="$text $word"
    fi
    case $limit in '' | *[!0123456789]* | 0?* | ??????*) limit=30 ;; esac
    if [[ -n $left ]] && (( left < limit )); then
        if (( left < 60 )); then soon=${left}m; else soon=$(( left / 60 ))h$(( left % 60 ))m; fi
    fi
    SOONG_TEXT=$text${soon:+ $soon}
    symbol=$_soong_symbols
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
        *) SOONG_PROMPT=$'%{\e['$color$'m%}'$SOONG_PROMPT$'%{\e[0m%}' ;;
        esac
    fi
}

# Puts the segment into the prompt that it is to stand in, and notes what prompts there are now.
_soong_place() {
    \builtin emulate -LR zsh
    _soong_withdraw
    # Whoever names the variable has placed it; themes that draw both sides have places of their own.
    case ${SOONG_PROMPT_SIDE-}:${PROMPT-}${RPROMPT-} in
    off:* | *SOONG_PROMPT*) ;;
    left:*)
        _soong_placed=${SOONG_PROMPT:+$SOONG_PROMPT }
        PROMPT=$_soong_placed${PROMPT-}
        ;;
    *)
        if (( ! ${+functions[p10k]} && ! ${+functions[starship_precmd]} && ! ${+functions[prompt_starship_precmd]} )); then
            _soong_placed=$SOONG_PROMPT${SOONG_PROMPT:+${RPROMPT:+ }}
            if [[ -n $_soong_placed ]]; then RPROMPT=$_soong_placed${RPROMPT-}; fi
        fi
        ;;
    esac
    _soong_prompts=:${PROMPT-}:${RPROMPT-}
}

# Takes the segment out of the prompts.
_soong_withdraw() {
    \builtin emulate -LR zsh
    if [[ -z ${_soong_placed-} ]]; then \builtin return 0; fi
    if [[ ${RPROMPT-} == "$_soong_placed"* ]]; then RPROMPT=${RPROMPT#"$_soong_placed"}; fi
    if [[ ${PROMPT-} == "$_soong_placed"* ]]; then PROMPT=${PROMPT#"$_soong_placed"}; fi
    _soong_placed=
}

# Has _soong_hook run before each prompt, ahead of others: a theme that renders in a hook of its own
# is to find the variables of this prompt.
_soong_load() {
    \builtin emulate -LR zsh
    \builtin typeset -g _soong_placed=${_soong_placed-} _soong_symbols='= ~ !'
    \builtin typeset -g _soong_settings= _soong_set= _soong_seen= _soong_prompts= _soong_file= _soong_alone=
    \builtin typeset -gi _soong_now _soong_from _soong_until
    \builtin typeset -ga _soong_pids
    case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) _soong_symbols='⇄ ↻ ✗' ;;
    esac
    \builtin typeset -ga precmd_functions
    precmd_functions=(_soong_hook ${precmd_functions:#_soong_hook})
    _soong_update
}

# Leaves the shell as it was before.
soong_unload() {
    \builtin emulate -LR zsh
    _soong_withdraw
    precmd_functions=(${precmd_functions:#_soong_(hook|register_late)})
    if [[ -n ${_soong_alias-} ]]; then \builtin unalias -- $_soong_alias; fi
    if (( ${+functions[compdef]} )); then
        \builtin typeset name
        for name in ${(k)_comps}; do
            if [[ ${_comps[$name]} == _soong ]]; then compdef -d $name; fi
        done
    elif (( ${+functions[_soong_register]} )); then
        _soong_register none
        \builtin unset _soong_described _soong_rest
        \builtin unfunction _soong_register _soong_register_late _soong_without_compinit _soong_without_compinit_rest
    fi
    if (( ${+functions[_soong_command]} )); then \builtin unfunction _soong _soong_command; fi
    \builtin unset SOONG_STATE SOONG_TEXT SOONG_PROMPT _soong_placed _soong_symbols _soong_alias _soong_completer
    \builtin unset _soong_settings _soong_set _soong_seen _soong_prompts _soong_file
    \builtin unset _soong_now _soong_from _soong_until _soong_pids _soong_alone
    \builtin unfunction _soong_hook _soong_update _soong_judge _soong_hold _soong_live _soong_show _soong_place
    \builtin unfunction _soong_withdraw _soong_load soong_unload
}

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) _soong_load ;;
esac
