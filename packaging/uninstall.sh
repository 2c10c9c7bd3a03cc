#!/bin/sh
# Usage: uninstall.sh stop DIRECTORY   ends the tunnels whose supervisor is a program in DIRECTORY
#        uninstall.sh left             names what soong leaves behind in the user's home
#        uninstall.sh units            names the units that start tunnels at login, as root those of all users
#
# Before the programs go, their tunnels have to: a supervisor without its programs can neither reconnect nor be stopped
# by a command. Run as root, "stop" ends the tunnels of all users. It signals only processes that execute
# DIRECTORY/soong-supervisor, which /proc proves. SIGTERM is a clean stop.
set -eu

# Prints the PIDs of the supervisors from the directory $1.
supervisors() {
    for process in /proc/[0-9]*; do
        program=$(readlink "$process/exe" 2>/dev/null) || continue
        # The kernel marks a program that an upgrade has replaced.
        if [ "${program%' (deleted)'}" = "$1/soong-supervisor" ]; then
            printf '%s\n' "${process#/proc/}"
        fi
    done
}

stop() {
    directory=$(cd "$1" 2>/dev/null && pwd -P) || return 0
    if [ ! -d /proc/self ]; then
        # Without /proc, those of this user.
        if [ -x "$directory/soong-tunnel" ]; then "$directory/soong-tunnel" stop --all --quiet || :; fi
        return
    fi
    pids=$(supervisors "$directory")
    for pid in $pids; do
        # One that has ended meanwhile is no error.
        kill "$pid" 2>/dev/null || :
    done
    tries=0
    while [ -n "$(supervisors "$directory")" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    left=" $(supervisors "$directory" | tr '\n' ' ')"
    for pid in $pids; do
        case $left in
        *" $pid "*) echo "The supervisor $pid is still running; end it: kill -KILL $pid" ;;
        *) echo "Stopped tunnel (PID: $pid)" ;;
        esac
    done
}

# Prints the homes of the users whose units this user can see.
homes() {
    printf '%s\n' "$HOME"
    if [ "$(id -u)" = 0 ] && command -v getent >/dev/null; then getent passwd | cut -d : -f 6; fi
}

units() {
    found=$(
        homes | sort -u | while IFS= read -r home; do
            for file in "$home"/.config/systemd/user/soong-*.service; do
                [ ! -e "$file" ] || printf '  %s\n' "$file"
            done
        done
    )
    [ -n "$found" ] || return 0
    echo 'These units start tunnels at login and fail without soong; their users remove each with'
    echo "'systemctl --user disable NAME' and by deleting the file:"
    # Other users choose these names; a terminal may obey other characters.
    printf '%s\n' "$found" | LC_ALL=C tr -cd '\n -~'
}

# Prints the path $1 and what it is, if it exists.
name() { [ ! -e "$1" ] || printf '  %s  (%s)\n' "$1" "$2"; }

left() {
    config=${XDG_CONFIG_HOME:-$HOME/.config}
    state=${XDG_STATE_HOME:-$HOME/.local/state}
    if [ -n "${SUDO_USER-}" ] && command -v getent >/dev/null; then
        HOME=$(getent passwd "$SUDO_USER" | cut -d : -f 6)
        config=$HOME/.config
        state=$HOME/.local/state
    fi
    found=$(
        name "$config/soong" 'config, API keys, hooks'
        name "$state/soong" 'logs, host keys, what instances cost'
        for file in "$HOME/.bashrc" "$HOME/.bash_profile" "$HOME/.zshrc" "$config/fish/config.fish" "$HOME/.ssh/config"; do
            if grep -qs soong "$file"; then name "$file" 'has a line for soong'; fi
        done
        for file in "$config"/systemd/user/soong*.service "$HOME"/Library/LaunchAgents/*soong*.plist; do
            name "$file" 'starts a tunnel at login'
        done
    )
    if [ -n "$found" ]; then printf 'These stay; remove what you do not need:\n%s\n' "$found"; fi
}

case ${1-} in
stop) stop "$2" ;;
left) left ;;
units) units ;;
*)
    echo 'usage: uninstall.sh stop DIRECTORY | left | units' >&2
    exit 2
    ;;
esac
