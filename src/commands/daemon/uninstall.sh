# Removes soong-statusd; runs as root. Arguments: root directory, "yes" to remove configuration, token
# and state as well.
root=$1
program=$root/usr/local/bin/soong-statusd
unit=$root/etc/systemd/system/soong-statusd.service
[ -z "$root" ] || PATH=$root/bin:$PATH
fail() { printf 'error=%s\n' "$*"; exit 1; }
[ ! -e "$program" ] || printf 'removed=yes\n'
if [ -e "$unit" ]; then
    systemctl disable --quiet --now soong-statusd.service || fail "systemctl cannot stop it"
    rm -f "$unit" "$unit.old"
    systemctl daemon-reload
fi
rm -f "$program" "$program.old" || fail "cannot remove $program"
[ "$2" != yes ] || rm -rf "$root/etc/soong/statusd.toml" "$root/etc/soong/token" "$root/var/lib/soong"
