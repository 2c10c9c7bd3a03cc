# Prints whether soong-statusd is installed and active. Argument: root directory.
root=$1
[ -z "$root" ] || PATH=$root/bin:$PATH
if [ -e "$root/usr/local/bin/soong-statusd" ]; then
    printf 'version=%s\n' "$("$root/usr/local/bin/soong-statusd" --version 2>/dev/null)"
    printf 'active=%s\n' "$(systemctl is-active soong-statusd.service 2>/dev/null)"
fi
