# Completion of soong and its programs for fish, 3.4 and later.
#
# soong-complete, or the program in $_soong_completer, computes the candidates. These functions pass it the command
# line and hand its answer to fish.

# Sets $__soong_candidates. Fails if fish should complete file names.
function __soong_ask
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l token (commandline --cut-at-cursor --current-token)
    set -l last $token
    # Closes an open quote.
    for quote in '' \" \'
        if set -l word (string unescape -- "$token$quote")
            set last "$word"
            break
        end
    end
    set -l completer soong-complete
    set -q _soong_completer; and set completer $_soong_completer
    set -g __soong_candidates ($completer words $before "$last" 2>/dev/null)
    set -l directive (string match --regex --groups-only '^:([0-9]+)$' -- $__soong_candidates[-1])
    or return 0
    set --erase __soong_candidates[-1]
    if test (math "bitand($directive, 256)") -ne 0
        set __soong_candidates (__soong_command $__soong_candidates[1] (string escape -- $before) "$token")
    else if not set -q __soong_candidates[1]
        test (math "bitand($directive, 5)") -ne 0
    end
end

# Completes the rest of the line as a command line of its own. $argv[1]: the index of its first word, from 0, and after
# a tab, the command to complete in place of that word; then the words.
function __soong_command
    set -l start (string split \t -- $argv[1])
    set -l words $argv[(math 2 + $start[1])..-1]
    set -q start[2]; and set words[1] $start[2]
    complete --do-complete="$(string join ' ' -- $words)"
end

# begin generated
set -g __soong_programs soong soong-tunnel soong-ssh soong-code soong-status soong-offers soong-launch soong-terminate soong-cost soong-extend soong-keep soong-daemon soong-service soong-doctor soong-configure soong-init soong-prompt soong-ext
# end generated
for program in $__soong_programs
    complete --erase --command $program
    complete --command $program --condition __soong_ask --no-files --keep-order --arguments '$__soong_candidates'
end
