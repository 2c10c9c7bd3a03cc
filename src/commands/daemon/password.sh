# Tests the password on standard input with sudo: prints sudo=yes, or sudo's last line as said=TEXT.
if said=$(LC_ALL=C sudo -S -k -p '' true 2>&1); then
    printf 'sudo=yes\n'
else
    printf 'said=%s\n' "$(printf '%s\n' "$said" | tail -n 1)"
fi
