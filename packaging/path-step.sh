# shellcheck shell=sh
# Prints the command that puts directory $1 on the PATH of this shell and of new ones. dist.sh copies this into install.sh.
path_step() {
    case ${SHELL-}/$(uname -s) in
    */fish/*) echo "fish_add_path '$1'" && return ;;
    */zsh/*) file=${ZDOTDIR-\~}/.zshrc ;;
    # Terminals on macOS start login shells.
    */bash/Darwin) file=\~/.bash_profile ;;
    */bash/*) file=\~/.bashrc ;;
    *) file=\~/.profile ;;
    esac
    echo "echo 'export PATH=\"$1:\$PATH\"' >>$file; . $file"
}
