#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Manual pages are well-formed, and they and the completion know every command of heddle.
# Usage: pages_test.sh PATH-OF-HEDDLE
set -u
heddle=$1
top=$(cd "$(dirname "$0")/../../.." && pwd)
failed=0

fail()
{
    echo "FAIL: $*"
    failed=1
}

if command -v mandoc >/dev/null; then
    for page in "$top"/doc/man/*; do
        # Pages that are not installed yet cannot be found: no defect of this one.
        bad=$(mandoc -Tlint "$page" | grep -v 'referenced manual not found')
        [ -z "$bad" ] || fail "$bad"
    done
else
    echo "mandoc is not installed: pages are not checked for form"
fi

commands=$("$heddle" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -w)" -ge 20 ] || fail "help lists too little: $commands"
# shellcheck source=/dev/null
source "$top/packaging/heddle.bash" || fail "the completion is no bash"
COMP_WORDS=(heddle "") COMP_CWORD=1
_heddle
for c in $commands; do
    grep -qE "^\.It Cm .*\b$c\b" "$top/doc/man/heddle.1" || fail "heddle.1 lacks $c"
    case " ${COMPREPLY[*]} " in
    *" $c "*) ;;
    *) fail "the completion lacks $c" ;;
    esac
done

complete_line()
{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _heddle
}
# What stands in for the instance that is asked.
heddle()
{
    [ "$1 $2 $3 $4" = "--state /s contacts -j" ] &&
        echo '{"contacts":[{"id":"12ab","path":["ffff"]},{"id":"12cd"},{"id":"3400"}]}'
}
complete_line heddle --state /s ping 12
[ "${COMPREPLY[*]}" = "12ab 12cd" ] || fail "node IDs: ${COMPREPLY[*]}"
complete_line heddle up --
[[ " ${COMPREPLY[*]} " == *" --join "* ]] || fail "options of up: ${COMPREPLY[*]}"
complete_line heddle up --backend e
[ "${COMPREPLY[*]}" = "ebpf" ] || fail "back-ends: ${COMPREPLY[*]}"

exit $failed
