# soong in the prompt of fish, 3.4 and later: `soong init fish | source`, or a file in conf.d.
#
# Before each prompt it sets SOONG_STATE, SOONG_TEXT and SOONG_PROMPT from the file that the tunnels'
# supervisors keep (its format: src/runtime/prompt.rs), without starting any process. What it reads
# is believed only as far as it has been looked at, character by character. `soong_unload` undoes it.
#
# builtin: whatever functions the user has made.

# Reads the prompt file.
function __soong_update
    set -g SOONG_STATE ''
    set -g SOONG_TEXT ''
    set -g SOONG_PROMPT ''
    set -l dir /tmp/soong-$__soong_uid
    if builtin string match -q '/*' -- "$XDG_RUNTIME_DIR"
        set dir $XDG_RUNTIME_DIR/soong
    else if builtin string match -q '/*' -- "$TMPDIR"
        set dir $TMPDIR/soong-$__soong_uid
    end
    set -l file $dir/prompt
    # Not what others put there, and nothing that could block or fails to open.
    builtin test -s $file -a -f $file -a -O $file -a -O $dir -a -r $file; or return 0
    set -l clock (__soong_clock $file)
    set -l plain '[A-Za-z0-9._:,@-]+'
    set -l number '[1-9][0-9]'
    set -l up
    set -l all
    set -l total 0
    set -l worst 0
    set -l word ''
    set -l soonest 0
    while builtin read -l line
        set -l fields (builtin string match -r "^soong1 ($number{0,6}) ($number{0,11}) ($number{0,2}) ($plain) ($plain) (-|$number{0,11}) $plain\$" -- $line)
        or continue
        builtin test $fields[2] != 1; or continue
        set -l state $fields[5]
        set -l rank 3
        set total (builtin math $total + 1)
        switch $state
            case failed
            case up starting reconnecting
                # Nothing that should have been renewed, or was promised before the clock was set back.
                # The program of a zombie is gone; without /proc the promise alone has to do.
                set -l left (builtin math "$fields[3] - $clock")
                if builtin test $left -ge 0 -a $left -le $fields[4]; and builtin test -z "$__soong_proc" -o -e /proc/$fields[2]/exe
                    switch $state
                        case up
                            set rank 0
                            set -a up $fields[6]
                        case starting
                            set rank 1
                        case '*'
                            set rank 2
                    end
                else
                    set state down
                end
                if builtin test $fields[7] != -
                    if builtin test $soonest -eq 0 -o $fields[7] -lt $soonest
                        set soonest $fields[7]
                    end
                end
            case '*'
                set state down
        end
        set -a all $fields[6]
        if builtin test $rank -ge $worst
            set worst $rank
            set word $state
        end
    end <$file
    builtin test $total -gt 0; or return 0
    __soong_show "$clock" $soonest $worst $word (builtin count $up) $total $up $all
end

# Puts together what __soong_update has found: the clock, the end of the soonest lease, the worst state
# as a number and as a word, how many tunnels are up, how many there are; the names of those that are
# up, and of all.
function __soong_show
    set -l clock $argv[1]
    set -l worst $argv[3]
    set -l word $argv[4]
    set -l ups $argv[5]
    set -l total $argv[6]
    set -l names $argv[7..]
    set -l shown $ups
    set -l text
    if builtin test $ups -eq 0
        set shown $total
    end
    set -l listed (builtin string join , -- $names[1..$shown])
    if builtin test $shown -gt 3
        set listed (builtin string join , -- $names[1..3])+(builtin math $shown - 3)
    end
    set SOONG_STATE down
    if builtin test $ups -eq $total
        set SOONG_STATE up
        set text $listed
    else if builtin test $ups -gt 0
        set text "$ups/$total $listed"
    else if builtin test $total -gt 1
        set text "0/$total $listed $word"
    else
        set text "$listed $word"
    end

    set -l soon ''
    if builtin test $argv[2] -ne 0
        set -l limit 30
        builtin string match -qr '^(0|[1-9][0-9]{0,4})$' -- "$SOONG_PROMPT_LEASE"; and set limit $SOONG_PROMPT_LEASE
        set -l left (builtin math "floor(max(0, $argv[2] - $clock) / 60)")
        if builtin test $left -lt $limit
            set soon {$left}m
            builtin test $left -ge 60; and set soon (builtin math "floor($left / 60)")h(builtin math "$left % 60")m
        end
    end
    set SOONG_TEXT $text
    builtin test -n "$soon"; and set SOONG_TEXT "$text $soon"

    set -l symbols $__soong_symbols
    builtin test -n "$SOONG_PROMPT_ASCII" -a "$SOONG_PROMPT_ASCII" != 0; and set symbols = '~' !
    set -l symbol
    set -l color
    switch $worst
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
        set SOONG_PROMPT (builtin string replace -- '{symbol}' "$symbol" "$SOONG_PROMPT_FORMAT" | builtin string replace -- '{text}' "$text" | builtin string replace -- '{lease}' "$soon" | builtin string collect)
    end
    if builtin test -z "$NO_COLOR"; and builtin string match -qr '^[0-9;]+$' -- "$color"
        set SOONG_PROMPT \e"[$color""m$SOONG_PROMPT"\e'[0m'
    end
end

# Prints the seconds since the epoch. $argv: a file, whose age added to the time of its last change is
# just that.
function __soong_clock
    if builtin test "$__soong_time" = file
        builtin math (builtin path mtime -- $argv) + (builtin path mtime -R -- $argv)
    else if builtin test -n "$__soong_time"
        # When this machine was started, and how long ago that is.
        builtin read -l uptime rest </proc/uptime
        builtin math "floor($__soong_time + $uptime)"
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
        switch "$SOONG_PROMPT_SIDE"
            case off
            case left
                __soong_place fish_prompt __soong_left
            case '*'
                __soong_place fish_right_prompt __soong_right
        end
    end
end

# Has the function $argv[2] stand in for $argv[1], unless that one shows the segment by itself.
function __soong_place
    if functions -q $argv[1]
        functions $argv[1] | builtin string match -q '*SOONG_PROMPT*'; and return
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
    set -e __soong_uid __soong_proc __soong_time __soong_symbols __soong_placed __soong_alias
    functions -e __soong_{update,show,clock,hook,place,left,right,before} soong_unload
end

function __soong_load
    set -g __soong_uid (command id -u)
    set -g __soong_proc
    builtin test -e /proc/self/exe; and set __soong_proc yes
    set -g __soong_time
    if builtin string match -q path -- (builtin -n)
        set __soong_time file
    else if builtin test -r /proc/uptime
        builtin read -l uptime rest </proc/uptime
        set __soong_time (builtin math (command date +%s) - $uptime)
    end
    set -g __soong_symbols = '~' !
    builtin string match -qir 'utf-?8' -- "$LC_ALL$LC_CTYPE$LANG"; and set __soong_symbols ⇄ ↻ ✗
    __soong_update
    functions -e __soong_load
end

if status is-interactive; and builtin test -n "$TERM" -a "$TERM" != dumb
    __soong_load
else
    functions -e __soong_{update,show,clock,hook,place,left,right,load} soong_unload
end
