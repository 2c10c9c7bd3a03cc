#!/bin/sh
# Makes sure of the programs that the tests run besides cargo: installs what is missing where it knows how
# (Debian, Ubuntu, macOS), and elsewhere says what is missing and fails.
set -eu

# sshd and ip live where an ordinary user's PATH need not lead.
PATH=$PATH:/usr/sbin:/sbin
system=$(uname -s)

# A line per program: its name, the Debian package and the Homebrew formula; "-" where there is nothing to install.
# What only Linux has, only the tests of Linux need.
requirements() {
    cat <<'END'
ssh        openssh-client  -
ssh-keygen openssh-client  -
ssh-agent  openssh-client  -
scp        openssh-client  -
ssh-add    openssh-client  -
rsync      rsync           rsync
git        git             git
perl       perl            perl
sshd       openssh-server  -
curl       curl            -
bash       bash            bash
zsh        zsh             zsh
fish       fish            fish
shellcheck shellcheck      shellcheck
tmux       tmux            tmux
direnv     direnv          direnv
zoxide     zoxide          zoxide
mandoc     mandoc          mandoc
codespell  codespell       codespell
man        man-db          -
make       make            make
npm        npm             node
END
    if [ "$system" = Linux ]; then
        cat <<'END'
strace     strace          -
ip         iproute2        -
unshare    util-linux      -
END
    fi
}

# Prints the requirements that are not met.
missing() {
    requirements | while read -r program package formula; do
        command -v "$program" >/dev/null || echo "$program $package $formula"
    done
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install() {
    packages=$(missing | cut -d' ' -f2 | sort -u)
    as_root apt-get update
    # shellcheck disable=SC2086 # A word per package is meant.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
}

brew_install() {
    formulas=$(missing | cut -d' ' -f3 | grep -v '^-$' | sort -u)
    # shellcheck disable=SC2086 # A word per formula is meant.
    [ -z "$formulas" ] || brew install $formulas
}

# Where cargo has the tests keep files.
directory=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}/tmp

# Fetches VS Code's scripts for shells, once: 42 MB, of which seven small files are kept.
fetch_vscode() {
    scripts=$directory/vscode-4.100.3
    [ ! -e "$scripts" ] || return 0
    mkdir -p "$scripts.new"
    archive=$(npm pack --silent --pack-destination "$scripts.new" code-server@4.100.3)
    tar -xzf "$scripts.new/$archive" -C "$scripts.new" --strip-components 10 \
        package/lib/vscode/out/vs/workbench/contrib/terminal/common/scripts
    rm "$scripts.new/$archive"
    mv "$scripts.new" "$scripts"
}

if [ -z "$(missing)" ]; then
    fetch_vscode
    exit 0
fi
if command -v apt-get >/dev/null; then
    apt_install
elif command -v brew >/dev/null; then
    brew_install
fi
left=$(missing | cut -d' ' -f1 | tr '\n' ' ')
if [ -n "$left" ]; then
    echo "install-requirements: the tests need these programs, install them first: $left" >&2
    exit 1
fi
fetch_vscode
