#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A configuration of 100,000 objects in a real heddled: what one change of it costs, part by part and in seconds of CPU,
# and that the memory for it comes back. With a file as third argument the table goes there (doc/results/config.md).
#
#   large_test.sh HEDDLED HEDDLE [FILE]
set -u
heddled=$1 heddle=$2 table=${3:-}
count=${HEDDLE_OBJECTS:-100000}
base=hdcl$$
dir=$(mktemp -d /tmp/$base.XXXXXX)
failures=0 keeper=

check() { # name, command...
    local name=$1
    shift
    if "$@" >"$dir/out" 2>&1; then printf 'ok: %s\n' "$name"; else
        printf 'NOT OK: %s\n' "$name"
        sed 's/^/    /' "$dir/out"
        failures=$((failures + 1))
    fi
}
h() { "$heddle" --state "$dir/n" "$@"; }
c() { h config "$@"; }
within() { # milliseconds, command...: until it succeeds
    local end=$(($(date +%s%3N) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%3N)" -gt $end ] && return 1
        sleep 0.2
    done
}
pid_of() { pgrep -P "$keeper" -f "heddled: $1"; }
config_pid() { pgrep -P "$(pid_of manage)" -f heddle-config; }
cpu() { awk '{ print 10 * ($14 + $15) }' "/proc/$1/stat"; } # ms
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }    # KiB
took() { grep -o "\"$1\":[0-9.]*" "$dir/answer" | cut -d : -f 2; }
cleanup() {
    [ -n "$keeper" ] && kill -9 "$keeper" 2>/dev/null
    wait 2>/dev/null
    ip netns del $base 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ip netns add $base
nsenter --net=/run/netns/$base "$heddled" --foreground --state "$dir/n" --backend none --open 2>"$dir/log" &
keeper=$!
check 'starts' within 10000 h status
c set /sample/number 1 && c apply >/dev/null
router=$(pid_of router)
before=$(rss "$router")
awk -v n="$count" 'BEGIN { for (i = 0; i < n; i++)
    printf "set /sample/object=%d/address fd5a::%x\nset /sample/object=%d/weight %d\n", i, i % 65536, i, i % 1000 + 2 }' >"$dir/lines"
check 'loads' c load "$dir/lines"
check 'applies' c apply
full=$(rss "$router")
c set /sample/object=5/weight 9999
config=$(config_pid) router_cpu=$(cpu "$router") config_cpu=$(cpu "$config")
c apply -j >"$dir/answer"
config_cpu=$(($(cpu "$config") - config_cpu)) router_cpu=$(($(cpu "$router") - router_cpu))
check 'one change is one change' grep -q '"changed-rows":1,' "$dir/answer"
check '... in the router' grep -q '"number":5,[^}]*"weight":9999' <(h show sample objects -j)
peak=$(rss "$config")
again() { # takes all objects away and loads them again
    c delete /sample/object && c apply >/dev/null || return
    empty=$(rss "$router")
    c load "$dir/lines" && c apply >/dev/null
}
check 'objects go and come' again
check '... twice' again
last=$(rss "$router")
check 'the memory of the router comes back' [ "$empty" -lt $((before + 1024)) ]
check '... and does not grow from load to load' [ "$last" -lt $((full + 1024)) ]
gone() { [ -z "$(config_pid)" ]; }
check 'heddle-config ends when nobody asks, and its memory is back' within 40000 gone
{
    printf '| one change among %s objects | ms |\n|---|---|\n' "$count"
    printf '| libyang checks the whole | %s |\n' "$(took check)"
    printf '| structs for the cores | %s |\n' "$(took image)"
    printf '| comparison | %s |\n' "$(took compare)"
    printf '| to the router, which takes it | %s |\n' "$(took transfer)"
    printf '| a new revision on the disk | %s |\n' "$(took store)"
    printf '| CPU of heddle-config / of the router, for all of it | %s / %s |\n' "$config_cpu" "$router_cpu"
    printf '| memory of heddle-config until it ends (KiB) | %s |\n' "$peak"
    printf '| memory of the router before, with them, without them again, after three loads (KiB) | %s, %s, %s, %s |\n' \
        "$before" "$full" "$empty" "$last"
} >"$dir/table"
if [ -n "$table" ]; then cp "$dir/table" "$table"; else cat "$dir/table"; fi
h down >/dev/null
keeper=
printf '%d failures\n' "$failures"
[ "$failures" = 0 ]
