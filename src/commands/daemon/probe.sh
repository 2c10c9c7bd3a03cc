# Describes the machine: KEY=VALUE lines.
printf 'system=%s\nmachine=%s\nuid=%s\n' "$(uname -s)" "$(uname -m)" "$(id -u)"
if sudo -n true 2>/dev/null; then printf 'sudo=yes\n'; fi
