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
# Package lists may be old or absent; the archive may be slow to answer.
$as_root apt-get -q -o Acquire::Retries=3 update
# shellcheck disable=SC2086 # a list of words
$as_root apt-get -q -y -o Acquire::Retries=3 --no-install-recommends install $missing
