# Prompt hook for fish 3.4 and later. Load it with `soong init fish | source`, or as a file in conf.d.
#
# Before each prompt the hook sets SOONG_STATE, SOONG_TEXT, SOONG_PROMPT and other variables from the supervisors'
# prompt file (format: src/runtime/prompt.rs). It starts no process and checks every field before it uses it.
# `soong_unload` removes everything. `builtin` bypasses the user's functions.

# Runs before each prompt. While nothing has changed, the last result stands.
function __soong_hook --on-event fish_prompt
    # Regular files only: reading a FIFO would block. Failing to open a file would print an error.
    set -l text ''
    builtin test -s $__soong_file -a -f $__soong_file -a -r $__soong_file
    and builtin read -z text <$__soong_file
    # Any clock can measure how long the result has stood.
    set -l time 0
    set -l rest
    set -q __soong_boot
    and builtin read time rest </proc/uptime
    or set time (__soong_clock)
    builtin test "=$text" = "=$__soong_seen" -a $time -ge $__soong_from -a $time -le $__soong_until -a $__soong_proof
    or __soong_update $time "$text"
    set -q __soong_placed[1]; or builtin test -z "$SOONG_PROMPT"; or __soong_place
end

# Discards the result when a setting changes.
function __soong_forget --on-variable XDG_RUNTIME_DIR --on-variable XDG_STATE_HOME --on-variable NO_COLOR --on-variable SOONG_PROMPT_FORMAT --on-variable SOONG_PROMPT_LEASE --on-variable SOONG_PROMPT_ASCII --on-variable SOONG_PROMPT_EXPORT --on-variable SOONG_PROMPT_SYMBOL_IDLE --on-variable SOONG_PROMPT_COLOR_IDLE --on-variable SOONG_PROMPT_SYMBOL_UP --on-variable SOONG_PROMPT_SYMBOL_WAIT --on-variable SOONG_PROMPT_SYMBOL_DOWN --on-variable SOONG_PROMPT_COLOR_UP --on-variable SOONG_PROMPT_COLOR_WAIT --on-variable SOONG_PROMPT_COLOR_DOWN
    set -g __soong_until -9999999999
end

# Removes the segment before a command runs, so that commands find, copy, save and redefine the user's own
# functions. The next prompt adds it again. A command that may change a prompt, or SOONG_PROMPT_SIDE, makes
# __soong_place choose its function anew.
function __soong_withdraw --on-event fish_preexec --on-variable SOONG_PROMPT_SIDE
    switch "$argv"
        case '*prompt*' '*source*' '. *' '*SOONG_*'
            set -g __soong_site
    end
    switch "$__soong_placed"
        case taken
        case fish_prompt fish_right_prompt
            # A script that copied the prompt while the segment was in it, such as VS Code's, keeps it.
            if functions -D -v $__soong_placed | builtin string match -q soong
                functions -e $__soong_placed
                functions -q __soong_before
                and functions -c __soong_before $__soong_placed
                and functions -e __soong_before
                set -g __soong_placed
            else
                set -g __soong_placed taken
            end
        case none
            set -q __soong_site[1]; or set -g __soong_placed
    end
end

# Evaluates the prompt file. The result stands while the file contains $argv[2] and the settings stay the same, from
# __soong_from to __soong_until on the clock that now reads $argv[1], and while the test __soong_proof shows that all
# supervisors are alive.
function __soong_update
    # Same rules as src/system/paths/runtime.rs.
    set -l dir $HOME/.local/state/soong/run
    builtin string match -q '/*' -- "$XDG_STATE_HOME"; and set dir $XDG_STATE_HOME/soong/run
    if builtin string match -q '/*' -- "$XDG_RUNTIME_DIR"; and builtin test -O "$XDG_RUNTIME_DIR"
        set dir $XDG_RUNTIME_DIR/soong
    end
    set -g __soong_seen $argv[2]
    set -g __soong_file $dir/prompt
    set -g __soong_proof
    set -l from 0
    set -l until 9999999999
    set -l now 0
    set -l text ''
    if builtin test -s $__soong_file -a -f $__soong_file -a -r $__soong_file
        # Ignore files of other users, and check again at the next prompt.
        if builtin test -O $__soong_file -a -O $dir
            set now (__soong_now)
            builtin read -z text <$__soong_file
        else
            set until -9999999999
        end
    end
    set -l found
    set -l names
    set -l lease
    set -l idle
    set -l span
    set -l made
    set -l number '[1-9][0-9]'
    set -l plain '[A-Za-z0-9._:,@-]+'
    set -l valid "^soong([23]) ($number{0,6}) ($number{0,11}) ($number{0,2}) ($plain) ($plain) (-|$number{0,11}) $plain ($plain)\$"
    # Version 1 lacks the display name. An idle tunnel's line, version 3, does not expire, and names the start of its
    # process. One command looks at all lines, because fish compiles the expression anew for each.
    for line in (builtin string split \n -- "$text" | builtin string replace -r '^soong1( .*)' 'soong2$1 -' | builtin string replace -r '^(soong3 \S+ \S+)' '$1 1' | builtin string replace -rf $valid '$1 $2 $3 $4 $5 $6 $7 $8')
        set -l fields (builtin string split ' ' -- $line)
        builtin test $fields[2] != 1; or continue
        builtin test $fields[8] != -; or set fields[8] $fields[6]
        set -l state $fields[5]
        if builtin test $fields[1] = 3
            set -l stat ''
            builtin test -r /proc/$fields[2]/stat
            and builtin read stat </proc/$fields[2]/stat
            if builtin string match -qr "^$fields[2] \(soong-superviso\) [RSD]( \S+){18} $fields[3] " -- $stat
                set -a __soong_proof -a -e /proc/$fields[2]/exe
                # Look at the process again after a minute: its PID could be another's then.
                builtin test $from -ge $now; or set from $now
                builtin test "$span" = idle
                or set until (builtin math "min($until, $now + 60)")
                set span idle
            else
                set state down
            end
        else if builtin contains -- $state up idle starting reconnecting
            if builtin test $fields[7] != -
                builtin test -z "$lease"; or builtin test $fields[7] -lt $lease
                and set lease $fields[7]
            end
            if builtin test "$span" != "$fields[3] $fields[4]"
                set span "$fields[3] $fields[4]"
                set made (builtin math $fields[3] - $fields[4])
            end
            # The line has expired, or the clock was set back since the supervisor wrote it.
            if builtin test $now -gt $fields[3]
                builtin test $from -gt $fields[3]; or set from (builtin math $fields[3] + 1)
                set state down
            else if builtin test $now -lt $made
                builtin test $until -lt $made; or set until (builtin math $made - 1)
                set state down
            else
                builtin test $from -ge $made; or set from $made
                builtin test $until -le $fields[3]; or set until $fields[3]
                # A zombie has no /proc/PID/exe. Without /proc, the line's expiry alone decides.
                if builtin test -z "$__soong_proc"
                else if builtin test -e /proc/$fields[2]/exe
                    set -a __soong_proof -a -e /proc/$fields[2]/exe
                else
                    set state down
                end
            end
        else if builtin test $state != failed
            set state down
        end
        if builtin test $state = idle
            set -a idle $fields[8]
        else
            set -a found $state
            set -a names $fields[8]
        end
    end
    # Idle tunnels are shown only if all are idle.
    if builtin test -z "$found" -a -n "$idle"
        set names $idle
        set found (builtin string replace -r '.*' idle -- $idle)
    end
    set -l left
    if builtin test -n "$lease"
        set left (builtin math "max(0, floor(($lease - $now) / 60))")
        # The minutes shown change then.
        set from (builtin math "max($from, $lease - $left * 60 - 59)")
        builtin test $now -lt $lease
        and set until (builtin math "min($until, $lease - $left * 60)")
    end
    set -g __soong_from (builtin math "$from - $now + $argv[1]")
    set -g __soong_until (builtin math "$until - $now + $argv[1]")
    # A test cannot begin with -a.
    set __soong_proof $__soong_proof[2..]
    builtin test -n "$__soong_proof"; or set __soong_proof -e /
    for name in SOONG_{STATE,TEXT,PROMPT,IDLE,UP,WAIT,DOWN}
        set -g $name ''
    end
    builtin test -n "$found"; and __soong_show "$left" "$found" $names
    if builtin test -n "$SOONG_PROMPT_EXPORT" -a "$SOONG_PROMPT_EXPORT" != 0
        for name in SOONG_{STATE,TEXT,IDLE,UP,WAIT,DOWN}
            set -gx $name $$name
        end
    end
end

# Prints the reading of a clock if there is no /proc/uptime: the age of the file, or the time.
function __soong_clock
    if builtin test -z "$__soong_path"
        command date +%s
    else if builtin test -e $__soong_file
        builtin $__soong_path mtime -R -- $__soong_file
    else
        builtin echo 0
    end
end

# Prints the seconds since the epoch: the time when the file was written, or the machine started, plus its age.
function __soong_now
    if builtin test -n "$__soong_path"
        builtin math (builtin $__soong_path mtime -- $__soong_file) + (builtin $__soong_path mtime -R -- $__soong_file)
    else if set -q __soong_boot
        builtin read -l uptime rest </proc/uptime
        builtin math "floor($__soong_boot + $uptime)"
    else
        command date +%s
    end
end

# Sets SOONG_STATE, SOONG_TEXT and others. $argv: the minutes left of the lease, the states in one word, the names.
function __soong_show
    set -l left $argv[1]
    set -l found (builtin string split ' ' -- $argv[2])
    set -l total (builtin count $found)
    set -l ups (builtin count (builtin string match up -- $found))
    set -l worst 0
    set -l word up
    builtin contains -- starting $found; and set worst 1; and set word starting
    builtin contains -- reconnecting $found; and set worst 2; and set word reconnecting
    # What is wrong, in one word.
    set -l bad (builtin string match -v -r '^(idle|up|starting|reconnecting)$' -- $found)
    if builtin test -n "$bad"
        set worst 3
        set word $bad[1]
        for one in $bad
            builtin test $one = $word; or set word down
        end
        set found (builtin string replace -r '^(?!(idle|up|starting|reconnecting)$).*' $word -- $found)
    end
    builtin contains -- idle $found; and set worst 4; and set word idle
    set -l names
    set -l more (builtin count (builtin string match -- $word $found))
    for name in $argv[3..]
        if builtin test $found[1] = $word
            if builtin test -z "$names" -o (builtin string length "$names$name") -lt 30
                set -a names $name
                set more (builtin math $more - 1)
                builtin test (builtin count $names) -lt 3; or break
            end
        end
        set -e found[1]
    end
    set -l text (builtin string join , -- $names)
    builtin test $more -gt 0; and set text "$text+$more"
    builtin test $worst -gt 0; and set text "$text "(builtin string replace -a -- - ' ' $word)
    builtin test $worst -gt 0 -a $worst -lt 4 -a $total -gt 1; and set text "$ups/$total $text"
    set SOONG_STATE down
    builtin test $worst -eq 0; and set SOONG_STATE up
    builtin test $worst -eq 4; and set SOONG_STATE idle
    set -l symbols $__soong_symbols
    builtin test -n "$SOONG_PROMPT_ASCII" -a "$SOONG_PROMPT_ASCII" != 0; and set symbols = '~' ! .. -
    set text (builtin string replace -a .. $symbols[4] -- $text)
    set -l soon ''
    if builtin test -n "$left"
        set -l limit 30
        builtin string match -qr '^(0|[1-9][0-9]{0,4})$' -- "$SOONG_PROMPT_LEASE"; and set limit $SOONG_PROMPT_LEASE
        if builtin test $left -lt $limit
            set soon "$left""m left"
            builtin test $left -ge 60; and set soon (builtin math "floor($left / 60)")h(builtin math "$left % 60")"m left"
        end
    end
    set SOONG_TEXT $text
    builtin test -n "$soon"; and set SOONG_TEXT "$text $soon"
    __soong_paint $worst "$text" "$soon" $symbols
end

# Sets SOONG_PROMPT. $argv: the worst state as a number, the text, the lease, the symbols.
function __soong_paint
    set -l mood WAIT
    set -l symbol $argv[5]
    set -l color 33
    switch $argv[1]
        case 0
            set mood UP
            set symbol $argv[4]
            set color 32
        case 3
            set mood DOWN
            set symbol $argv[6]
            set color 31
        case 4
            set mood IDLE
            set symbol $argv[8]
            set color 2
    end
    set SOONG_$mood $SOONG_TEXT
    set -l name SOONG_PROMPT_SYMBOL_$mood
    set -q $name; and set symbol "$$name"
    # Yellow shortly before the lease ends.
    if builtin test $mood = UP -a -n "$argv[3]"
        set mood WAIT
        set color 33
    end
    set name SOONG_PROMPT_COLOR_$mood
    set -q $name; and set color "$$name"
    if builtin test -z "$SOONG_PROMPT_FORMAT"
        set SOONG_PROMPT $SOONG_TEXT
        builtin test -n "$symbol"; and set SOONG_PROMPT "$symbol $SOONG_TEXT"
    else
        # Only the first of each, as in the other shells. An empty part takes one space with it.
        set SOONG_PROMPT "$SOONG_PROMPT_FORMAT"
        for part in symbol/$symbol text/$argv[2] lease/$argv[3]
            set -l part (builtin string split -m 1 / -- "$part")
            set -l mark "{$part[1]}"
            if builtin test -z "$part[2]"
                for spaced in "$mark " " $mark"
                    builtin string match -q -- "*$spaced*" "$SOONG_PROMPT"; and set mark $spaced
                end
            end
            set SOONG_PROMPT (builtin string replace -- $mark "$part[2]" "$SOONG_PROMPT" | builtin string collect)
        end
    end
    if builtin test -z "$NO_COLOR"; and builtin string match -qr '^[0-9;]+$' -- "$color"
        set SOONG_PROMPT \e"[$color""m$SOONG_PROMPT"\e'[0m'
    end
end

# Adds the segment to the prompt until the next command: replaces the user's function, which becomes
# __soong_before.
function __soong_place
    set -q __soong_site[1]; or __soong_choose
    if not set -q __soong_site[2]
        set -g __soong_placed none
        return
    end
    set -g __soong_placed $__soong_site[1]
    if functions -q $__soong_placed
        functions -c $__soong_placed __soong_before
        functions -e $__soong_placed
        functions -c $__soong_site[2] $__soong_placed
    else
        functions -c __soong_alone $__soong_placed
    end
end

# Sets __soong_site to the function that shows the segment and the one that replaces it, to none, or to nothing
# if the next prompt has to choose again.
function __soong_choose
    set -g __soong_site fish_right_prompt __soong_right
    set -l side "$SOONG_PROMPT_SIDE"
    # starship reads the variables from the environment.
    builtin test "$STARSHIP_SHELL" = fish -a -n "$SOONG_PROMPT_EXPORT" -a "$SOONG_PROMPT_EXPORT" != 0
    # A prompt that names the variables shows them itself, also if VS Code, venv or conda wraps it.
    or functions fish_prompt fish_right_prompt __vsc_fish_prompt _old_fish_prompt __fish_prompt_orig 2>/dev/null | builtin string match -q '*SOONG_*'
    and set side off
    switch $side
        case off
            set __soong_site none
        case left
            set __soong_site fish_prompt __soong_left
            # VS Code copies the prompt once, at the first prompt. It must copy the user's own.
            functions -q __preserve_fish_prompt; and set __soong_site
    end
end

function __soong_alone --description soong
    builtin test -n "$SOONG_PROMPT"; and builtin echo -ns ' ' $SOONG_PROMPT
end

# Calls the user's function first, while $status and $pipestatus are those of the last command.
function __soong_right --description soong
    __soong_before $argv
    builtin test -n "$SOONG_PROMPT"; and builtin echo -ns ' ' $SOONG_PROMPT
end

function __soong_left --description soong
    set -l rest (__soong_before $argv | builtin string collect -N)
    builtin test -n "$SOONG_PROMPT"; and builtin echo -ns $SOONG_PROMPT ' '
    builtin echo -ns $rest
end

# Removes everything that the hook and the completion have set.
function soong_unload
    __soong_withdraw
    builtin test -n "$__soong_alias"; and functions -e $__soong_alias
    for name in $__soong_programs $__soong_alias
        complete -e -c $name
    end
    # A copy of the wrapper may still call it.
    builtin test "$__soong_placed" = taken; or functions -e __soong_before
    set -e SOONG_{STATE,TEXT,PROMPT,IDLE,UP,WAIT,DOWN} _soong_completer __soong_candidates
    set -e __soong_{proc,boot,path,symbols,placed,site,alias,programs,seen,file,from,until,proof}
    functions -e __soong_{hook,forget,withdraw,update,clock,now,show,paint,place,choose,alone,right,left,ask,command} soong_unload
end

function __soong_load
    set -g __soong_proc
    builtin test -e /proc/self/exe; and set __soong_proc yes
    # Called through a variable, because fish before 3.5 cannot parse `builtin path`.
    set -g __soong_path
    builtin string match -q path -- (builtin -n); and set __soong_path path
    if builtin test -r /proc/uptime
        builtin read -l uptime rest </proc/uptime
        set -g __soong_boot
        builtin test -n "$__soong_path"; or set __soong_boot (builtin math (command date +%s) - $uptime)
    end
    set -g __soong_symbols = '~' ! .. -
    builtin string match -qir 'utf-?8' -- "$LC_ALL$LC_CTYPE$LANG"; and set __soong_symbols ⇄ ↻ ✗ … ◦
    set -g __soong_site
    __soong_update 0 ''
    functions -e __soong_load
end

if status is-interactive; and builtin test -n "$TERM" -a "$TERM" != dumb
    __soong_load
else
    functions -e __soong_{hook,forget,withdraw,update,clock,now,show,paint,place,choose,alone,left,right,load} soong_unload
end
