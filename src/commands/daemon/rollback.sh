# Undoes an installation that does not work; runs as root. Argument: root directory.
root=$1
program=$root/usr/local/bin/soong-statusd
unit=$root/etc/systemd/system/soong-statusd.service
[ -z "$root" ] || PATH=$root/bin:$PATH
if [ -e "$program.old" ] && [ -e "$unit.old" ]; then
    mv -f "$program.old" "$program" && mv -f "$unit.old" "$unit" && systemctl daemon-reload &&
        systemctl restart soong-statusd.service && printf 'restored=yes\n'
else
    systemctl disable --quiet --now soong-statusd.service
    rm -f "$program" "$unit"
    systemctl daemon-reload
fi
