# Stores standard input as a program and runs it once. Arguments: its size in bytes.
umask 077
fail() { printf 'error=%s\n' "$*"; exit 1; }
directory=$(mktemp -d "${TMPDIR:-/tmp}/soong-statusd.XXXXXX") || fail "cannot create a temporary directory"
program=$directory/soong-statusd
cat > "$program" || { rm -rf "$directory"; fail "cannot store the program: is the disk full?"; }
size=$(($(wc -c < "$program")))
[ "$size" = "$1" ] || { rm -rf "$directory"; fail "only $size of $1 bytes arrived"; }
chmod 755 "$program"
# The shell's own report of a signal, such as "Segmentation fault", says less than the exit status.
{ version=$("$program" --version 2>&1); } 2>/dev/null
status=$?
[ "$status" = 0 ] || {
    rm -rf "$directory"
    fail "the program does not run there (exit status $status): $(printf '%s' "$version" | tail -n 1)"
}
printf 'directory=%s\nversion=%s\n' "$directory" "${version#soong-statusd }"
