#!/bin/bash
# Uses an installed package as a person would. Run by check.sh in a root without a network, as root.
#
#     use.sh deb|rpm|arch|installer
#
# Installs the previous package, completes with TAB in three shells, reads a manual page, takes the tour of `make demo`,
# looks at the prompt, opens a tunnel to an SSH server here, upgrades while a connection is open through it, and removes
# the package: it names the units of users, and no file is left.
set -euo pipefail

format=$1
home=/home/kim
# Time for a condition to become true, in tenths of a second.
patience=300

say() { echo "$format: $*"; }

fail() {
    echo "$format: $*" >&2
    exit 1
}

# Waits until a command succeeds. $1: what for.
await() {
    local what=$1 left=$patience
    shift
    until "$@"; do
        ((left--)) || fail "timed out waiting for $what"
        sleep 0.1
    done
}

# Runs a command line as kim, in a shell that reads no startup file.
as_kim() {
    setpriv --reuid=kim --regid=kim --init-groups env -i HOME=$home USER=kim SHELL=/bin/bash TERM=xterm-256color \
        LANG=C.UTF-8 PATH="$path" bash -c "$1"
}

# Lists all files but those of package managers, of kim, and temporary ones.
files() {
    find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /run -o -path /var/lib/dpkg -o -path /var/lib/apt \
        -o -path /var/lib/rpm -o -path /var/lib/pacman -o -path /var/cache -o -path /var/log -o -path /root -o -path /home \
        -o -path /packages -o -path /packaging -o -path /usr/lib/sysimage \) -prune -o -print | sort
    find $home/.local | sort
}

path=/usr/local/bin:/usr/bin:/bin
case $format in
deb)
    install_old() { apt-get install --yes /packages/old.deb; }
    upgrade() { apt-get install --yes --reinstall /packages/new.deb; }
    remove() { apt-get purge --yes soong; }
    functions=''
    ;;
rpm)
    install_old() { rpm --install --nodeps /packages/new.rpm; }
    upgrade() { rpm --upgrade --force --nodeps /packages/new.rpm; }
    remove() { rpm --erase soong; }
    functions=/usr/share/zsh/site-functions
    ;;
arch)
    install_old() { pacman -Udd --noconfirm /packages/new.pkg.tar.zst; }
    upgrade() { pacman -Udd --noconfirm /packages/new.pkg.tar.zst; }
    remove() { pacman -R --noconfirm soong; }
    functions=/usr/share/zsh/site-functions
    ;;
installer)
    path=$home/.local/bin:$path
    upgrade() { as_kim 'SOONG_RELEASE_URL=file:///packages sh /packages/install.sh'; }
    install_old() { upgrade; }
    remove() { as_kim 'sh /packages/install.sh --uninstall'; }
    functions=$home/.local/share/zsh/site-functions
    ;;
esac

# A key, a config, a server, and a service behind it that repeats each line.
set_up() {
    # An installed system has it; debootstrap writes none.
    [ -e /etc/hosts ] || printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
    useradd --create-home --shell /bin/bash --password '*' kim
    as_kim "mkdir -p ~/.local ~/.ssh ~/.config/soong && chmod 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 &&
        cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys"
    as_kim "cat >~/.config/soong/config.toml" <<'END'
[ssh]
key = "~/.ssh/id_ed25519"
user = "kim"

[services]
sglang = { remote = 9000, local = 19000 }
n8n = false
status = false

[instances.dev]
host = "127.0.0.1"
port = 2222
END
    [ -z "$functions" ] || as_kim "echo \"fpath=($functions \\\$fpath)\" >~/.zshrc"
    # shellcheck disable=SC2016 # The prompt is zsh's.
    as_kim 'echo "autoload -U compinit; compinit -u; PS1=\"kim %# \"" >>~/.zshrc'
    mkdir -p /run/sshd
    /usr/sbin/sshd -p 2222 -o ListenAddress=127.0.0.1 -o UsePAM=no -o PidFile=/run/sshd.pid
    setsid socat TCP-LISTEN:9000,bind=127.0.0.1,fork,reuseaddr EXEC:cat </dev/null >/dev/null 2>&1 &
    servers=$!
}

screen_shows() {
    tmux capture-pane -p -t kim | grep -q -- "$1"
}

# Opens shell $1 in a terminal.
open_shell() {
    tmux kill-server 2>/dev/null || :
    # tmux runs the command in root's environment.
    tmux -f /dev/null new-session -d -s kim -x 100 -y 24 "setpriv --reuid=kim --regid=kim --init-groups env -i HOME=$home \
        USER=kim SHELL=/bin/$1 TERM=screen-256color LANG=C.UTF-8 PATH=$path $1 -i"
    await "the prompt of $1" screen_shows '[$%>#]'
}

completes() {
    open_shell "$1"
    # Typing can come before the line editor: again until the word is whole.
    tmux send-keys -t kim 'soong tunnel resta' Tab
    await "TAB in $1" screen_shows 'soong tunnel restart'
    tmux kill-server
    say "TAB in $1: soong tunnel resta -> restart"
}

prompts() {
    as_kim "soong init $1 --install --yes" >/dev/null 2>&1 || fail "soong init $1 --install"
    open_shell "$1"
    await "the tunnel in the prompt of $1" screen_shows '⇄ dev'
    say "prompt of $1: $(tmux capture-pane -p -t kim | grep '⇄ dev' | head -n 1)"
    tmux kill-server
}

# Sends numbers over one connection through the tunnel and expects each back, until /tmp/stop exists.
keep_connection() {
    local count=0 back
    exec 3<>/dev/tcp/127.0.0.1/19000
    while [ ! -e /tmp/stop ]; do
        count=$((count + 1))
        echo "$count" >&3
        if ! IFS= read -r -t 20 back <&3 || [ "$back" != "$count" ]; then
            echo "lost after $count lines" >/tmp/lost
            return
        fi
        echo "$count" >/tmp/count
        sleep 0.02
    done
}

count() { cat /tmp/count 2>/dev/null || echo 0; }

more_than() { [ -e /tmp/lost ] || [ "$(count)" -gt "$1" ]; }

# Runs the tour with the installed programs: it looks for them in the directory above its own.
demo() {
    local directory=/tmp/demo
    mkdir -p $directory/examples
    cp /packages/demo $directory/examples/soong-demo
    ln -sf "$(as_kim 'command -v soong')" "$(as_kim 'command -v soong-tunnel')" $directory/
    ln -sf "$(dirname "$(dirname "$(as_kim 'command -v soong')")")/lib/soong/soong-statusd" $directory/
    as_kim "PATH=$directory/examples:\$PATH soong demo" >/tmp/log 2>&1 || { cat /tmp/log; fail 'the tour failed'; }
    [ "$(grep -c '^\$ ' /tmp/log)" -gt 5 ] || { cat /tmp/log; fail 'a tour without commands'; }
    say "soong demo: $(grep -c '^\$ ' /tmp/log) commands"
}

answers() { [ "$( (exec 3<>/dev/tcp/127.0.0.1/19000 && echo hello >&3 && timeout 20 head -n 1 <&3) 2>/dev/null)" = hello ]; }

set_up
# Directories that other packages own on Fedora and Arch Linux.
others='/usr/share/licenses /usr/share/zsh/site-functions /usr/share/fish/vendor_completions.d'
# shellcheck disable=SC2086 # A word per directory.
mkdir -p $others
files >/tmp/before
install_old >/tmp/log 2>&1 || { cat /tmp/log; fail 'installation failed'; }
say "installed: $(as_kim 'soong --version')"

for shell in bash zsh fish; do completes "$shell"; done
as_kim 'man soong-tunnel-start' | grep -q 'soong tunnel start' || fail 'no manual page'
say "man: $(as_kim 'man -w soong-tunnel-start')"
as_kim 'soong help tunnel start' | grep -q SYNOPSIS || fail 'soong help shows no manual page'

demo

as_kim 'soong tunnel start' || fail 'no tunnel'
for shell in bash zsh fish; do prompts "$shell"; done

keep_connection &
await 'the first lines' more_than 10
[ ! -e /tmp/lost ] || fail "connection $(cat /tmp/lost)"
before=$(count)
supervisor=$(pgrep -x soong-superviso)
upgrade >/tmp/log 2>&1 || { cat /tmp/log; fail 'upgrade failed'; }
await 'lines after the upgrade' more_than $(($(count) + 10))
[ ! -e /tmp/lost ] || fail "connection $(cat /tmp/lost)"
[ "$(pgrep -x soong-superviso)" = "$supervisor" ] || fail 'another supervisor'
say "upgraded under a tunnel: $before lines before, $(count) now, none lost; supervisor $supervisor still runs"
as_kim 'soong tunnel status'
answers || fail 'no new connection after the upgrade'
touch /tmp/stop
wait $!
# The old supervisor makes the link anew with the new files around it.
pkill -x -u kim ssh
await 'an answer over the next link' answers
say 'the old supervisor reconnected after the upgrade'
as_kim 'soong tunnel restart' || fail 'restart failed'
await 'an answer of the new supervisor' answers
as_kim 'soong tunnel stop'

# Users and host names that only a service of the system knows.
mkdir -p /var/lib/extrausers
echo 'lee:x:70001:70001::/home/lee:/bin/sh' >/var/lib/extrausers/passwd
echo 'lee:x:70001:' >/var/lib/extrausers/group
: >/var/lib/extrausers/shadow
cp /etc/nsswitch.conf /tmp/nsswitch.conf
sed -i -e 's/^\(passwd\|group\|shadow\):.*/& extrausers/' -e 's/^hosts:.*/hosts: files myhostname/' /etc/nsswitch.conf
cp -r $home /home/lee
chown -R 70001:70001 /home/lee
sed -i -e 's/127.0.0.1/dev.localhost/' -e 's/"kim"/"lee"/' /home/lee/.config/soong/config.toml
# ssh uses this file by the account's home directory; without it, lee would log in to the wrong port.
chmod 664 /home/lee/.config/soong/config.toml
printf 'Host *\n    IdentitiesOnly yes\n' >/home/lee/.ssh/config
chown 70001:70001 /home/lee/.ssh/config
(
    as_lee() {
        setpriv --reuid=70001 --regid=70001 --clear-groups env -i HOME=/home/lee USER=lee SHELL=/bin/sh LANG=C.UTF-8 \
            PATH="${path//kim/lee}" sh -c "$1"
    }
    as_lee 'soong tunnel start' || fail 'no tunnel for a user outside /etc/passwd'
    as_lee 'soong doctor' | sed "s/^/$format: doctor: /"
    as_lee 'soong tunnel stop'
)
say 'a user and a host name that only nsswitch.conf leads to: tunnel up'
rm -rf /var/lib/extrausers/* /home/lee
cp /tmp/nsswitch.conf /etc/nsswitch.conf

as_kim 'soong tunnel start' >/dev/null || fail 'no tunnel before the removal'
# A name that would move the cursor of root's terminal.
unit=$home/.config/systemd/user/soong-dev.service
as_kim "mkdir -p ~/.config/systemd/user && touch $unit '${unit%dev.service}'\$'\\e[2J'.service"
remove >/tmp/log 2>&1 || { cat /tmp/log; fail 'removal failed'; }
# rpm 4.20 has a plugin that hides /home from the scripts of packages.
if [ "$format" = rpm ] && grep -qs '/home' /usr/lib/rpm/macros.d/macros.transaction_unshare; then
    say 'rpm hides /home: no unit was named'
else
    grep -Fq "  $unit" /tmp/log || { cat /tmp/log; fail 'the removal did not name a unit'; }
    say "the removal named $unit"
fi
if grep -q "$(printf '\033')" /tmp/log; then fail 'the removal printed an escape sequence'; fi
if pgrep -x soong-superviso >/dev/null; then
    cat /tmp/log
    fail 'the removal left a supervisor'
fi
kill -- "-$servers" 2>/dev/null || kill "$servers"
# What soong and fish keep for the user.
rm -rf $home/.local/state $home/.local/share/fish
rmdir $home/.local/share 2>/dev/null || :
# shellcheck disable=SC2086 # A word per directory.
mkdir -p $others
files >/tmp/after
diff /tmp/before /tmp/after || fail 'files are left, or missing'
say 'removed: no file is left'
