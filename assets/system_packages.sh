#!/bin/sh
# Installs the Debian packages named as arguments that are missing; where it may not, says what to install.
# Releases differ: a library may carry the suffix t64, and a tool may be part of another package. A name that a release
# does not know under either spelling is left out.
command -v dpkg-query >/dev/null 2>&1 || exit 0    # not a Debian system: the README says what is needed

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
known() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

missing=
for package in "$@"; do
    installed "$package" || installed "${package}t64" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif sudo -n true 2>/dev/null; then as_root="sudo -n"
else as_root=no
fi
[ "$as_root" = no ] || $as_root apt-get update -qq
wanted=
for package in $missing; do
    for name in "$package" "${package}t64"; do
        known "$name" && wanted="$wanted $name" && break
    done
done
[ -z "$wanted" ] && exit 0

if [ "$as_root" = no ]; then
    echo "improv needs these system packages:" >&2
    echo "    sudo apt-get install$wanted" >&2
    exit 1
fi
echo "installing system packages:$wanted"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
