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
COMP_LINE='heddle ' COMP_POINT=7
_heddle
for c in $commands; do
    grep -qE "^\.It Cm .*\b$c\b" "$top/doc/man/heddle.1" || fail "heddle.1 lacks $c"
    case " ${COMPREPLY[*]} " in
    *" $c "*) ;;
    *) fail "the completion lacks $c" ;;
    esac
done

# As readline does: the line whole, and its words cut at = and : as well.
complete_line()
{
    COMP_LINE=$1 COMP_POINT=${2:-${#1}}
    read -ra COMP_WORDS <<<"$(sed 's/[=:]\+/ & /g' <<<"${COMP_LINE:0:COMP_POINT}")"
    [[ ${COMP_LINE:0:COMP_POINT} == *[\ =:] ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _heddle
}
# What stands in for the instance that is asked.
heddle()
{
    case "$*" in
    '--state /s contacts -j') echo '{"contacts":[{"id":"12ab","path":["ffff"]},{"id":"12cd"},{"id":"3400"}]}' ;;
    'show bfd') printf 'heddle show bfd %s  What it is.\n' sessions counters ;;
    'config complete /i/interface=eth0/type iana-if-type:e') echo iana-if-type:ethernetCsmacd ;;
    'config complete /i/interface=eth0/') printf '/i/interface=eth0/%s\n' ipv4/ ipv6/ ;;
    'config complete /i/interface='*) printf '/i/interface=%s\n' eth0/ br-lab/ ;;
    esac
}

# What TAB offers behind a line, or behind its first bytes.
offers()
{
    local line=$1 want=$2

    complete_line "$line" ${3:+"$3"}
    [ "${COMPREPLY[*]}" = "$want" ] || fail "\"$line\" is offered \"${COMPREPLY[*]}\" instead of \"$want\""
}
offers 'heddle --state /s ping 12' '12ab 12cd'
offers 'heddle up --backend e' ebpf
offers 'heddle up --backend e --open' ebpf 21
offers 'heddle show bf' bfd
offers 'heddle show bfd ' 'sessions counters'
offers 'heddle config set /i/interface=' 'eth0/ br-lab/'
offers 'heddle config set /i/interface=e' 'eth0/'
offers 'heddle config delete /i/interface=eth0/' 'eth0/ipv4/ eth0/ipv6/'
offers 'heddle config set /i/interface=eth0/type iana-if-type:e' ethernetCsmacd
complete_line 'heddle up --'
[[ " ${COMPREPLY[*]} " == *" --join "* ]] || fail "options of up: ${COMPREPLY[*]}"

exit $failed
