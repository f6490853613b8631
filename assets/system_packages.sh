#!/bin/sh
# Installs the Debian packages named as arguments that are missing; where it may not, says what to install.
command -v dpkg-query >/dev/null 2>&1 || exit 0    # not a Debian system: the README says what is needed
missing=
for package in "$@"; do
    # Debian 13 and Ubuntu 24.04 renamed some libraries with the suffix t64.
    for name in "$package" "${package}t64"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' && continue 2
    done
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif sudo -n true 2>/dev/null; then as_root="sudo -n"
else
    echo "improv needs these system packages:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
echo "installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq &&
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
