#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cppcheck over src/: tools/run-cppcheck.sh JOBS. First it has to find a mistake that is made for it, because a
# macro that it cannot read makes it skip whole files in silence. Pointer casts: members of structs by their offsets.
set -eu
cd "$(dirname "$0")/.."

check() { # jobs, what
    cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$1" --std=c11 \
        --enable=warning,portability,performance --suppress=missingInclude --suppress=invalidPointerCast \
        --include=tools/cppcheck-macros.h -I src -I bpf -I tests "$2"
}

bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
echo 'int f(void) { int a[3]; a[5] = 1; return a[5]; }' >"$bad/bad.c"
if check 1 "$bad" 2>/dev/null; then
    echo 'cppcheck found nothing where there is a mistake: it read nothing'
    exit 1
fi
check "$1" src
