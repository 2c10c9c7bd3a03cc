# soong in the prompt of zsh, 5.8 and later: `eval "$(soong init zsh)"`, or source this file.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT and SOONG_PROMPT from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it.
#
# \builtin: whatever functions and aliases the user has made. The syntax is what `emulate sh` can
# parse too; each function then sets the options that it needs.

# Reads the prompt file. Text that has not changed since the last prompt is not taken apart again: only
# whether its promises still hold.
_soong_update() {
    \builtin emulate -LR zsh
    \builtin typeset dir text found left clock='%D{%s}'
    \builtin typeset -i now i count
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
        \builtin typeset -g SOONG_STATE= SOONG_TEXT= SOONG_PROMPT=
        \builtin unset _soong_seen
        \builtin return 0
    fi
    text=$(<$dir/prompt)
    if [[ -z ${_soong_seen+set} || $text != "$_soong_seen" ]]; then _soong_parse; fi
    now=${(%)clock}
    count=${#_soong_pids}
    for (( i = 1; i <= count; i++ )); do
        # What should have been renewed, or was promised before the clock was set back, is not
        # believed. The program of a zombie is gone, where that can be seen.
        if (( now > _soong_until[i] || now < _soong_from[i] )); then
            found+=' down'
        elif [[ $_soong_states[i] == failed || -e /proc/$_soong_pids[i]/exe ]]; then
            found+=" $_soong_states[i]"
        elif [[ ! -e /proc/self/exe ]] && \builtin kill -0 $_soong_pids[i] 2>/dev/null; then
            found+=" $_soong_states[i]"
        else
            found+=' down'
        fi
    done
    if (( _soong_lease )); then left=$(( now < _soong_lease ? (_soong_lease - now) / 60 : 0 )); fi
    text=$left$found:${SOONG_PROMPT_LEASE-}:${SOONG_PROMPT_FORMAT-}:${SOONG_PROMPT_ASCII-}:${NO_COLOR-}:${SOONG_PROMPT_SYMBOL_UP--}:${SOONG_PROMPT_SYMBOL_WAIT--}:${SOONG_PROMPT_SYMBOL_DOWN--}:${SOONG_PROMPT_COLOR_UP-}:${SOONG_PROMPT_COLOR_WAIT-}:${SOONG_PROMPT_COLOR_DOWN-}
    if [[ $text != "${_soong_shown-}" ]]; then
        \builtin typeset -g _soong_shown=$text
        _soong_show
    fi
}

# Takes the text apart, an array for each field of its lines. The variables are _soong_update's.
_soong_parse() {
    \builtin emulate -LR zsh
    \builtin typeset -g _soong_seen=$text _soong_shown=
    \builtin typeset -gi _soong_lease=0
    \builtin typeset -ga _soong_pids _soong_from _soong_until _soong_states _soong_names
    _soong_pids=() _soong_from=() _soong_until=() _soong_states=() _soong_names=()
    \builtin typeset line pid until ttl state name lease
    \builtin typeset -a fields
    for line in ${(f)text}; do
        # One space between fields, so that no field is empty.
        fields=("${(@s: :)line}")
        if (( ${#fields} != 8 )); then continue; fi
        pid=$fields[2] until=$fields[3] ttl=$fields[4] state=$fields[5] name=$fields[6] lease=$fields[7]
        case $fields[1]:$pid:$until:$ttl in
        soong1:[123456789]*:[123456789]*:[123456789]*) ;;
        *) continue ;;
        esac
        case $pid$until$ttl in *[!0123456789]*) continue ;; esac
        case $state:$name:$lease:$fields[8] in :* | *::* | *: | *[!A-Za-z0-9._:,@-]*) continue ;; esac
        case $lease in
        -) lease=0 ;;
        0* | *[!0123456789]*) continue ;;
        esac
        if (( ${#pid} > 7 || ${#until} > 12 || ${#ttl} > 3 || ${#lease} > 12 || pid < 2 )); then continue; fi
        case $state in
        failed) until=9999999999999 ;;
        up | starting | reconnecting)
            if (( lease && (_soong_lease == 0 || lease < _soong_lease) )); then _soong_lease=$lease; fi
            ;;
        *) state=down ;;
        esac
        _soong_pids+=($pid) _soong_states+=($state) _soong_names+=($name)
        _soong_until+=($until)
        if [[ $state == failed ]]; then _soong_from+=(0); else _soong_from+=($(( until - ttl ))); fi
    done
}

# Puts together what has been found. The variables are _soong_update's.
_soong_show() {
    \builtin emulate -LR zsh
    \builtin typeset -g SOONG_STATE= SOONG_TEXT= SOONG_PROMPT=
    if (( ! ${#_soong_pids} )); then \builtin return 0; fi
    \builtin typeset state word text soon symbol color limit=${SOONG_PROMPT_LEASE-} format=${SOONG_PROMPT_FORMAT-}
    \builtin typeset -i rank worst total ups
    \builtin typeset -a up
    for state in ${(s: :)found}; do
        (( total += 1 ))
        case $state in
        up)
            rank=0
            (( ups += 1 ))
            up+=($_soong_names[total])
            ;;
        starting) rank=1 ;;
        reconnecting) rank=2 ;;
        *) rank=3 ;;
        esac
        if (( rank >= worst )); then worst=$rank word=$state; fi
    done
    if (( ups == 0 )); then up=($_soong_names); fi
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

# What runs before each prompt.
_soong_hook() {
    \builtin emulate -LR zsh
    _soong_update
    # Before a hook that put itself first and may show what is set here; from the next prompt on.
    if [[ ${precmd_functions[1]-} != _soong_hook ]]; then
        precmd_functions=(_soong_hook ${precmd_functions:#_soong_hook})
    fi
    case ${SOONG_PROMPT_EXPORT-} in '' | 0) ;; *) \builtin export SOONG_STATE SOONG_TEXT ;; esac
    _soong_withdraw
    # Whoever names the variable has placed it; themes that draw both sides have places of their own.
    case ${SOONG_PROMPT_SIDE-}:${PROMPT-}${RPROMPT-} in
    off:* | *SOONG_PROMPT*) \builtin return 0 ;;
    left:*)
        _soong_placed=${SOONG_PROMPT:+$SOONG_PROMPT }
        PROMPT=$_soong_placed${PROMPT-}
        ;;
    *)
        if (( ${+functions[p10k]} || ${+functions[starship_precmd]} || ${+functions[prompt_starship_precmd]} )); then
            \builtin return 0
        fi
        _soong_placed=$SOONG_PROMPT${SOONG_PROMPT:+${RPROMPT:+ }}
        if [[ -n $_soong_placed ]]; then RPROMPT=$_soong_placed${RPROMPT-}; fi
        ;;
    esac
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
    precmd_functions=(${precmd_functions:#_soong_hook})
    if [[ -n ${_soong_alias-} ]]; then \builtin unalias -- $_soong_alias; fi
    if (( ${+functions[compdef]} )); then
        \builtin typeset name
        for name in ${(k)_comps}; do
            if [[ ${_comps[$name]} == _soong ]]; then compdef -d $name; fi
        done
    fi
    \builtin unset SOONG_STATE SOONG_TEXT SOONG_PROMPT _soong_placed _soong_symbols _soong_alias _soong_completer
    \builtin unset _soong_seen _soong_shown _soong_lease _soong_pids _soong_from _soong_until _soong_states _soong_names
    \builtin unfunction _soong_update _soong_parse _soong_show _soong_hook _soong_withdraw _soong_load soong_unload
}

case $-:${TERM:-dumb} in
*:dumb) ;;
*i*:*) _soong_load ;;
esac
