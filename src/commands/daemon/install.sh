# Installs or upgrades soong-statusd; runs as root. The token is on standard input, where no process
# list shows it. Arguments: root directory, directory of the upload, configuration, unit, and "yes" if
# an installation must exist.
# shellcheck disable=SC2015 # either failure is fatal
umask 077
root=$1 upload=$2 config=$3 unit_text=$4 upgrade=$5
program=$root/usr/local/bin/soong-statusd etc=$root/etc/soong
unit=$root/etc/systemd/system/soong-statusd.service
[ -z "$root" ] || PATH=$root/bin:$PATH
fail() { rm -rf "$upload"; printf 'error=%s\n' "$*"; exit 1; }

[ "$upgrade" != yes ] || [ -e "$program" ] || fail "it is not installed there"
IFS= read -r token && [ -n "$token" ] || fail "no token arrived"
mkdir -p "$etc" && chmod 755 "$etc" || fail "cannot create $etc"
# An installation keeps its token and its configuration.
if [ -s "$etc/token" ]; then
    token=$(cat "$etc/token")
else
    printf '%s\n' "$token" > "$etc/token.new" && mv -f "$etc/token.new" "$etc/token" || fail "cannot write $etc/token"
fi
if [ -e "$etc/statusd.toml" ]; then
    printf 'config=kept\n'
else
    printf '%s' "$config" > "$etc/statusd.toml.new" && mv -f "$etc/statusd.toml.new" "$etc/statusd.toml" ||
        fail "cannot write $etc/statusd.toml"
fi
said=$("$upload/soong-statusd" --check --config "$etc/statusd.toml" 2>&1) || fail "$(printf '%s' "$said" | head -n 1)"

if cmp -s "$upload/soong-statusd" "$program" && printf '%s' "$unit_text" | cmp -s - "$unit" &&
    systemctl is-active --quiet soong-statusd.service; then
    rm -rf "$upload"
    printf 'unchanged=yes\ntoken=%s\n' "$token"
    exit 0
fi

# The old program and unit stay beside the new ones for a rollback.
umask 022
mkdir -p "${program%/*}" "${unit%/*}" || fail "cannot create ${program%/*} or ${unit%/*}"
rm -f "$program.old" "$unit.old"
[ ! -e "$program" ] || cp -p "$program" "$program.old" || fail "cannot keep the old program"
[ ! -e "$unit" ] || cp -p "$unit" "$unit.old" || fail "cannot keep the old unit"
cp "$upload/soong-statusd" "$program.new" && chmod 755 "$program.new" && mv -f "$program.new" "$program" ||
    fail "cannot write $program"
rm -rf "$upload"
printf 'token=%s\n' "$token"
if [ ! -d "$root/run/systemd/system" ]; then
    printf 'systemd=no\n'
    exit 0
fi
printf '%s' "$unit_text" > "$unit.new" && mv -f "$unit.new" "$unit" || fail "cannot write $unit"
systemctl daemon-reload && systemctl enable --quiet soong-statusd.service &&
    systemctl restart soong-statusd.service || printf 'started=no\n'
