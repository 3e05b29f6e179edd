#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of packaging/debian-packages.txt: tools/deps.sh build|check|long|bench
# (each group contains the ones before; bench: those of check, and the peers of the benchmark). Says what it installs; does nothing when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

case ${1:-check} in
build) groups='build' ;;
check) groups='build check' ;;
long) groups='build check long' ;;
bench) groups='build check bench' ;;
*) echo "usage: $0 build|check|long|bench" >&2; exit 2 ;;
esac
command -v apt-get >/dev/null || {
    echo 'This is no Debian system. Install the equivalents of packaging/debian-packages.txt by hand.' >&2
    exit 1
}

missing=
for group in $groups; do
    for package in $(awk -v g="$group" '$1 == g { print $2 }' packaging/debian-packages.txt); do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
done
if [ -z "$missing" ]; then
    echo 'deps: nothing is missing'
    exit 0
fi
echo "deps: installing$missing"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
# Peers in tests are started by the tests alone: no service of these packages may start now.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
# Package lists may be old or absent; the archive may be slow to answer.
$as_root apt-get -q -o Acquire::Retries=3 update
# shellcheck disable=SC2086 # a list of words
$as_root apt-get -q -y -o Acquire::Retries=3 --no-install-recommends install $missing
# Nor at the next boot: those whose line calls them a peer.
if [ -d /run/systemd/system ]; then
    for package in $missing; do
        grep -q "^[a-z]* *$package .*peer" packaging/debian-packages.txt || continue
        for unit in $(dpkg -L "$package" | sed -n 's,.*/systemd/system/\([^/@]*\.service\)$,\1,p' | sort -u); do
            $as_root systemctl --quiet disable "$unit" || true
        done
    done
fi
