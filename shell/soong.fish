# soong in the prompt of fish, 3.4 and later: `soong init fish | source`, or a file in conf.d.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT and SOONG_PROMPT from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it.
#
# builtin: whatever functions the user has made.

# Reads the prompt file. A file that has not changed since the last prompt is not looked at again: only
# whether its promises still hold.
function __soong_update
    set -l dir /tmp/soong-$__soong_uid
    if builtin string match -q '/*' -- "$XDG_RUNTIME_DIR"
        set dir $XDG_RUNTIME_DIR/soong
    else if builtin string match -q '/*' -- "$TMPDIR"
        set dir $TMPDIR/soong-$__soong_uid
    end
    set -l file $dir/prompt
    # Not what others put there, and nothing that could block or fails to open.
    if not builtin test -s $file -a -f $file -a -O $file -a -O $dir -a -r $file
        set -g SOONG_STATE ''
        set -g SOONG_TEXT ''
        set -g SOONG_PROMPT ''
        set -g __soong_seen ''
        return 0
    end
    # When the file was written and how long ago that is; or the clock, as if long ago.
    set -l written 0
    set -l age
    if builtin test "$__soong_clock" = file
        set written (builtin path mtime -- $file)
        set age (builtin path mtime -R -- $file)
    else
        set age (__soong_now)
    end
    builtin read -lz text <$file
    if builtin test "$text $file $written" != "$__soong_seen"
        set -g __soong_seen "$text $file $written"
        __soong_parse "$text" $written
    end
    set -l found
    for i in $__soong_lines
        set -l state $__soong_states[$i]
        # What should have been renewed, or was promised before the clock was set back, is not believed.
        # The program of a zombie is gone; without /proc the promise alone has to do.
        if builtin test $state != failed
            builtin test $age -ge $__soong_from[$i] -a $age -le $__soong_until[$i]
            and builtin test -z "$__soong_proc" -o -e /proc/$__soong_pids[$i]/exe
            or set state down
        end
        set -a found $state
    end
    set -l left
    builtin test "$__soong_lease" != -
    and set left (builtin math "max(0, floor(($__soong_lease - $written - $age) / 60))")
    __soong_show "$left" $found
end

# Takes the text $argv[1] apart, a list for each field of its lines. Times are told as ages of the file,
# which was written at $argv[2].
function __soong_parse
    set -l number '[1-9][0-9]'
    set -l plain '[A-Za-z0-9._:,@-]+'
    set -g __soong_lines
    set -g __soong_pids
    set -g __soong_from
    set -g __soong_until
    set -g __soong_states
    set -g __soong_names
    set -g __soong_lease -
    set -g __soong_shown
    for line in (builtin string split \n -- $argv[1])
        set -l fields (builtin string match -r "^soong1 ($number{0,6}) ($number{0,11}) ($number{0,2}) ($plain) ($plain) (-|$number{0,11}) $plain\$" -- $line)
        or continue
        builtin test $fields[2] != 1; or continue
        builtin contains -- $fields[5] up starting reconnecting failed; or set fields[5] down
        set -a __soong_lines (builtin math (builtin count $__soong_lines) + 1)
        set -a __soong_pids $fields[2]
        set -a __soong_from (builtin math $fields[3] - $fields[4] - $argv[2])
        set -a __soong_until (builtin math $fields[3] - $argv[2])
        set -a __soong_states $fields[5]
        set -a __soong_names $fields[6]
        builtin test $fields[5] = failed -o $fields[5] = down -o $fields[7] = -; and continue
        builtin test $__soong_lease = -; or builtin test $fields[7] -lt $__soong_lease
        and set __soong_lease $fields[7]
    end
end

# Puts together what has been found: the minutes that the lease has left, if it has an end, and the
# state of each tunnel. Nothing, when that is what was put together last.
function __soong_show
    set -l settings "$argv $__soong_seen $SOONG_PROMPT_FORMAT $SOONG_PROMPT_LEASE $SOONG_PROMPT_ASCII $NO_COLOR" $SOONG_PROMPT_SYMBOL_UP $SOONG_PROMPT_SYMBOL_WAIT $SOONG_PROMPT_SYMBOL_DOWN $SOONG_PROMPT_COLOR_UP $SOONG_PROMPT_COLOR_WAIT $SOONG_PROMPT_COLOR_DOWN
    builtin test "$settings" = "$__soong_shown"; and return
    set -g __soong_shown "$settings"
    set -g SOONG_STATE ''
    set -g SOONG_TEXT ''
    set -g SOONG_PROMPT ''
    set -l left $argv[1]
    set -l found $argv[2..]
    set -l total (builtin count $found)
    builtin test $total -gt 0; or return 0
    set -l up
    set -l worst 0
    set -l word up
    for i in $__soong_lines
        set -l rank 3
        switch $found[$i]
            case up
                set rank 0
                set -a up $__soong_names[$i]
            case starting
                set rank 1
            case reconnecting
                set rank 2
        end
        if builtin test $rank -ge $worst
            set worst $rank
            set word $found[$i]
        end
    end
    set -l ups (builtin count $up)
    set -l names $up
    builtin test $ups -eq 0; and set names $__soong_names
    set -l text (builtin string join , -- $names[1..3])
    builtin test (builtin count $names) -gt 3; and set text $text+(builtin math (builtin count $names) - 3)
    set SOONG_STATE down
    if builtin test $ups -eq $total
        set SOONG_STATE up
    else if builtin test $ups -gt 0
        set text "$ups/$total $text"
    else if builtin test $total -gt 1
        set text "0/$total $text $word"
    else
        set text "$text $word"
    end
    set -l soon ''
    if builtin test -n "$left"
        set -l limit 30
        builtin string match -qr '^(0|[1-9][0-9]{0,4})$' -- "$SOONG_PROMPT_LEASE"; and set limit $SOONG_PROMPT_LEASE
        if builtin test $left -lt $limit
            set soon {$left}m
            builtin test $left -ge 60; and set soon (builtin math "floor($left / 60)")h(builtin math "$left % 60")m
        end
    end
    set SOONG_TEXT $text
    builtin test -n "$soon"; and set SOONG_TEXT "$text $soon"
    __soong_paint $worst "$text" "$soon"
end

# Sets SOONG_PROMPT. $argv: the worst state as a number, the text, the lease.
function __soong_paint
    set -l symbols $__soong_symbols
    builtin test -n "$SOONG_PROMPT_ASCII" -a "$SOONG_PROMPT_ASCII" != 0; and set symbols = '~' !
    set -l symbol
    set -l color
    switch $argv[1]
        case 0
            set symbol $symbols[1]
            set color 32
            set -q SOONG_PROMPT_SYMBOL_UP; and set symbol "$SOONG_PROMPT_SYMBOL_UP"
            set -q SOONG_PROMPT_COLOR_UP; and set color "$SOONG_PROMPT_COLOR_UP"
        case 3
            set symbol $symbols[3]
            set color 31
            set -q SOONG_PROMPT_SYMBOL_DOWN; and set symbol "$SOONG_PROMPT_SYMBOL_DOWN"
            set -q SOONG_PROMPT_COLOR_DOWN; and set color "$SOONG_PROMPT_COLOR_DOWN"
        case '*'
            set symbol $symbols[2]
            set color 33
            set -q SOONG_PROMPT_SYMBOL_WAIT; and set symbol "$SOONG_PROMPT_SYMBOL_WAIT"
            set -q SOONG_PROMPT_COLOR_WAIT; and set color "$SOONG_PROMPT_COLOR_WAIT"
    end
    if builtin test -z "$SOONG_PROMPT_FORMAT"
        set SOONG_PROMPT $SOONG_TEXT
        builtin test -n "$symbol"; and set SOONG_PROMPT "$symbol $SOONG_TEXT"
    else
        # Only the first of each, as in the other shells.
        set SOONG_PROMPT (builtin string replace -- '{symbol}' "$symbol" "$SOONG_PROMPT_FORMAT" | builtin string replace -- '{text}' "$argv[2]" | builtin string replace -- '{lease}' "$argv[3]" | builtin string collect)
    end
    if builtin test -z "$NO_COLOR"; and builtin string match -qr '^[0-9;]+$' -- "$color"
        set SOONG_PROMPT \e"[$color""m$SOONG_PROMPT"\e'[0m'
    end
end

# Prints the seconds since the epoch, where the age of a file cannot be asked.
function __soong_now
    if builtin test -n "$__soong_clock"
        # When this machine was started, and how long ago that is.
        builtin read -l uptime rest </proc/uptime
        builtin math "floor($__soong_clock + $uptime)"
    else
        command date +%s
    end
end

# What runs before each prompt.
function __soong_hook --on-event fish_prompt
    __soong_update
    if builtin test -n "$SOONG_PROMPT_EXPORT" -a "$SOONG_PROMPT_EXPORT" != 0
        set -gx SOONG_STATE $SOONG_STATE
        set -gx SOONG_TEXT $SOONG_TEXT
    end
    # At the first prompt, when config.fish has defined all it wants to define.
    if not set -q __soong_placed
        set -g __soong_placed ''
        set -l side "$SOONG_PROMPT_SIDE"
        for one in fish_prompt fish_right_prompt
            # Whoever names the variable has placed it.
            functions -q $one; and functions $one | builtin string match -q '*SOONG_*'; and set side off
        end
        switch $side
            case off
            case left
                __soong_place fish_prompt __soong_left
            case '*'
                __soong_place fish_right_prompt __soong_right
        end
    end
end

# Has the function $argv[2] stand in for $argv[1].
function __soong_place
    if functions -q $argv[1]
        functions -c $argv[1] __soong_before
        functions -e $argv[1]
        set -g __soong_placed $argv[1] restore
    else
        function __soong_before
        end
        set -g __soong_placed $argv[1]
    end
    functions -c $argv[2] $argv[1]
end

# The user's own is called first, while $status and $pipestatus are those of the last command.
function __soong_right
    __soong_before
    builtin test -n "$SOONG_PROMPT"; and builtin echo -ns ' ' $SOONG_PROMPT
end

function __soong_left
    set -l rest (__soong_before | builtin string collect -N)
    builtin test -n "$SOONG_PROMPT"; and builtin echo -ns $SOONG_PROMPT ' '
    builtin echo -ns $rest
end

# Leaves the shell as it was before.
function soong_unload
    if builtin test -n "$__soong_placed[1]"
        functions -e $__soong_placed[1]
        set -q __soong_placed[2]; and functions -c __soong_before $__soong_placed[1]
    end
    builtin test -n "$__soong_alias"; and functions -e $__soong_alias
    for name in soong soong-{tunnel,ssh,status,extend,configure,ext,init,prompt,doctor} $__soong_alias
        complete -e -c $name
    end
    set -e SOONG_STATE SOONG_TEXT SOONG_PROMPT _soong_completer
    set -e __soong_{uid,proc,clock,symbols,placed,alias,seen,shown,lines,pids,from,until,states,names,lease}
    functions -e __soong_{update,parse,show,paint,now,hook,place,left,right,before} soong_unload
end

function __soong_load
    set -g __soong_uid (command id -u)
    set -g __soong_proc
    builtin test -e /proc/self/exe; and set __soong_proc yes
    set -g __soong_clock
    if builtin string match -q path -- (builtin -n)
        set __soong_clock file
    else if builtin test -r /proc/uptime
        builtin read -l uptime rest </proc/uptime
        set __soong_clock (builtin math (command date +%s) - $uptime)
    end
    set -g __soong_symbols = '~' !
    builtin string match -qir 'utf-?8' -- "$LC_ALL$LC_CTYPE$LANG"; and set __soong_symbols ⇄ ↻ ✗
    __soong_update
    functions -e __soong_load
end

if status is-interactive; and builtin test -n "$TERM" -a "$TERM" != dumb
    __soong_load
else
    functions -e __soong_{update,parse,show,paint,now,hook,place,left,right,load} soong_unload
end
