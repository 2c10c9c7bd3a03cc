# Describes the machine and the rights of the account: KEY=VALUE lines.
printf 'system=%s\nmachine=%s\nuid=%s\nuser=%s\n' "$(uname -s)" "$(uname -m)" "$(id -u)" "$(id -un)"
if ! command -v sudo >/dev/null 2>&1; then
    printf 'sudo=no\n'
elif sudo -n -k true 2>/dev/null; then
    printf 'sudo=yes\n'
else
    printf 'sudo=password\n'
fi
