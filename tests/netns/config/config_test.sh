#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The configuration of a real heddled: edits, refusals that change nothing, apply as a whole, automatic return,
# rollback, kill -9 of each process at each stage, and that nothing of it disturbs KIRA.
#
#   config_test.sh HEDDLED HEDDLE
set -u
heddled=$1 heddle=$2
base=hdc$$
dir=$(mktemp -d /tmp/$base.XXXXXX)
failures=0 keeper=

ok() { printf 'ok: %s\n' "$1"; }
bad() {
    printf 'NOT OK: %s\n' "$1"
    sed 's/^/    /' "$dir/out" 2>/dev/null
    failures=$((failures + 1))
}
check() { # name, command...
    local name=$1
    shift
    if "$@" >"$dir/out" 2>&1; then ok "$name"; else bad "$name"; fi
}
h() { "$heddle" --state "$dir/n" "$@"; }
c() { h config "$@"; }
within() { # milliseconds, command...: until it succeeds
    local end=$(($(date +%s%3N) + $1))
    shift
    until "$@" >"$dir/last" 2>&1; do
        [ "$(date +%s%3N)" -gt $end ] && { cat "$dir/last"; return 1; }
        sleep 0.05
    done
}
in_force() { [ "$(c show 2>/dev/null)" = "$1" ]; }
lines() { printf '%s\n' "$@"; }
refused() { ! "$@"; }
pid_of() { pgrep -P "$keeper" -f "heddled: $1"; }
start() {
    nsenter --net=/run/netns/$base "$heddled" --foreground --state "$dir/n" --backend none --open \
        2>>"$dir/log" &
    keeper=$!
    within 10000 h status
}
node_id() { h status -j | grep -o '"id":"[0-9a-f]*"' | head -n 1; }
cleanup() {
    [ -n "$keeper" ] && kill -9 "$keeper" 2>/dev/null
    wait 2>/dev/null
    ip netns del $base 2>/dev/null
    umount -l "$dir/n" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# A small disk: it is full where the test wants it to be.
mkdir "$dir/n" && mount -t tmpfs -o mode=700,nr_inodes=200 tmpfs "$dir/n" || exit 1
ip netns add $base
nsenter --net=/run/netns/$base ip link set lo up
start || bad 'starts'

check 'nothing is configured at first' in_force ''
router=$(pid_of router)
c set /kira/bucket-size 30 && c set sample/object=7/weight 4 && c set /sample/number 9
check 'an edit changes nothing yet' in_force ''
check 'the difference is shown' grep -qx '+ set /kira/bucket-size 30' <(c diff)
check 'what is wrong is refused, with what was expected' \
    grep -q 'from 1 to 255' <(c set /kira/bucket-size 0 2>&1)
c set /sample/hold-time 10
check 'the whole is checked' refused c check
check 'a refused change' refused c apply
check '... changes nothing' in_force ''
c set /sample/hold-time 4000
one=$(lines 'set /kira/bucket-size 30' 'set /sample/number 9' 'set /sample/hold-time 4000' \
    'set /sample/object=7/weight 4')
sorted() { [ "$(c show | sort)" = "$(printf '%s\n' "$1" | sort)" ]; }
check 'apply' c apply
check '... puts all in force' sorted "$one"
check '... in the router' grep -q '"weight":4' <(h show sample objects -j)
check '... without another router process' [ "$(pid_of router)" = "$router" ]

c set /sample/object=8/weight 1
check 'apply --confirm' c apply --confirm 2
check '... is in force' grep -q '"number":8' <(h show sample objects -j)
check '... one change at a time' refused c apply
check '... and returns by itself' within 5000 sorted "$one"
check '... in the router, too' refused grep -q '"number":8' <(h show sample objects -j)
c set /sample/object=9/weight 1
c apply --confirm 2 >/dev/null && c confirm >/dev/null
sleep 2.5
check 'what is confirmed stays' grep -q '"number":9' <(h show sample objects -j)
check 'rollback' c rollback
check '... goes one back' sorted "$one"
check 'history knows both' grep -q rollback <(c history)
c set /sample/number 10 && c apply >/dev/null && c diff >/dev/null && c rollback >/dev/null
check 'an edit that was looked at before a rollback' [ -z "$(c diff)" ]
c set /sample/object=11/weight 1 && c apply --confirm 30 >/dev/null && c diff >/dev/null && c return >/dev/null
check '... or before a return does not undo it' [ -z "$(c diff)" ]
check '... nor is anything else in force' sorted "$one"

c delete /sample && c apply >/dev/null
check 'a core that is not configured any more ends' refused h show sample objects
c load - <<<"$one" >/dev/null && c apply >/dev/null
check 'lines of a file are the whole' sorted "$one"
c export >"$dir/export.json"
check 'export is JSON' python3 -m json.tool "$dir/export.json"
check '... that loads again' c load "$dir/export.json"
check '... with no difference' [ -z "$(c diff 2>/dev/null)" ]

# Whoever dies: the same is in force as before, in the router and on the disk.
has_objects() { h show sample objects -j | grep -q '"weight":4'; }
for role in manage router system; do
    kill -9 "$(pid_of $role)"
    sleep 0.2
    check "kill -9 of $role" within 10000 has_objects
    check '... the configuration is there' within 10000 sorted "$one"
done
config_pid() { pgrep -P "$(pid_of manage)" -f heddle-config; }
c set /sample/object=20
kill -9 "$(config_pid)"
edited() { c diff | grep -q object=20; }
check 'kill -9 of heddle-config: edits are kept' within 3000 edited
kill -9 "$(config_pid)"
printf 'set /sample/number 1' >>"$dir/n/state/config/candidate"
check 'half a line at the end of the edits is none' refused grep -q 'number 1$' <(c diff)
check '... and those before it are' edited
c apply --confirm 30 >/dev/null
kill -9 "$(pid_of manage)"
check 'kill -9 of manage before confirm: it returns' within 5000 sorted "$one"
c set /sample/object=21 && c apply --confirm 30 >/dev/null
kill -9 "$keeper"
wait "$keeper" 2>/dev/null
sleep 0.5
start || bad 'starts again'
check 'kill -9 of all before confirm: the old one' within 5000 sorted "$one"
for moment in 0.002 0.01 0.03 0.08; do
    c set /sample/object=30/weight "$((RANDOM % 60000))" && (c apply >/dev/null 2>&1 &)
    sleep $moment
    kill -9 "$(config_pid)" 2>/dev/null
    within 5000 c show
    disk=$(c show | grep object=30)
    c discard >/dev/null
    same() { [ "$(h show sample objects -j | grep -o '"number":30,[^}]*"weight":[0-9]*' | grep -o '[0-9]*$')" = \
        "$(c show | grep -o 'object=30/weight.*' | cut -d ' ' -f 2)" ]; }
    kill -9 "$(pid_of manage)"
    check "kill -9 after $moment s of apply: router and disk agree${disk:+ (new)}" within 5000 same
done

# heddle-config alone dies, after the router was told and before the disk says so: the router is held meanwhile.
object30() { h show sample objects -j | grep -o '"number":30,[^}]*"weight":[0-9]*' | grep -o '[0-9]*$'; }
is30() { [ "$(object30)" = "$1" ] && c show | grep -qx "set /sample/object=30/weight $1"; }
newest() { find "$dir/n/state/config" -name 'r*.json' -printf '%f\n' | sort | tail -n 1; }
newer() { [ "$(newest)" != "$1" ]; }
cut_off() { # command...: heddle-config dies twice while the router is told
    local before pid
    before=$(newest)
    kill -STOP "$(pid_of router)"
    c "$@" >"$dir/cut" 2>&1 &
    local asked=$!
    within 2000 newer "$before"
    for _ in 1 2; do
        sleep 0.2
        pid=$(config_pid)
        [ -n "$pid" ] && kill -9 "$pid"
        within 500 config_pid
    done
    kill -CONT "$(pid_of router)"
    wait $asked
}
c set sample/object=30/weight 100 && c apply >/dev/null
c set sample/object=30/weight 200 && c apply >/dev/null
check 'begins with' is30 200
c set sample/object=30/weight 300 && cut_off apply
check 'heddle-config dies in apply: says so' grep -q 'before its answer' "$dir/cut"
check '... router and disk agree' within 5000 is30 200
cut_off apply --confirm 1
check 'heddle-config dies in apply --confirm: it returns' within 5000 is30 200
check '... and the next change is taken' c apply
c set sample/object=30/weight 250 && c apply --confirm 1 >/dev/null
kill -STOP "$(config_pid)"
c show >/dev/null 2>&1 &
check 'heddle-config hangs: the change returns all the same' within 10000 is30 300
c set sample/object=30/weight 400 && c apply >/dev/null
python3 - "$dir/n/state/config/running.json" "$(config_pid)" <<'END' &
import os, sys, time
link, end = sys.argv[1], time.time() + 5
was = os.readlink(link)
while os.readlink(link) == was and time.time() < end:
    pass
os.kill(int(sys.argv[2]), 9)
END
sleep 0.3
c rollback >/dev/null 2>&1
wait $!
check 'heddle-config dies in rollback: goes back once' within 5000 is30 300

c set sample/object=30/weight 500 && c apply --confirm 1 >/dev/null
for i in $(seq 200); do : 2>/dev/null >"$dir/n/full$i" || break; done
sleep 2.5
check 'the disk is full when a change is to return: not yet' grep -q 'object=30/weight 500' <(c show)
rm -f "$dir"/n/full*
check '... and when there is room again, it returns' within 5000 is30 300

pieces() { # heddle-config dies between two pieces of a text
    python3 - "$dir/n/control.sock" "$(config_pid)" <<'END'
import json, os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def load(text, **more):
    args = dict(do='load', text=text, id='a', **more)
    s.sendall(json.dumps(dict(command='config', args=args)).encode() + b'\n')
    return s.makefile().readline()
load('set /sample/number 1\n', first=True, more=True)
os.kill(int(sys.argv[2]), 9)
time.sleep(0.2)
print(load('set /sample/object=1\n'))
END
}
c show >/dev/null
check 'heddle-config dies between the pieces of a load: the rest is not the whole' grep -q cut-off <(pieces)
check '... and no edit is left of it' [ -z "$(c diff 2>/dev/null)" ]

# The router dies at random moments of changes; after each both say the same.
agree() {
    local router disk
    router=$(object30)
    disk=$(c show | grep -o 'object=30/weight.*' | cut -d ' ' -f 2)
    echo "router: '$router', disk: '$disk'"
    [ "$router" = "$disk" ]
}
# The end of the change lies in the channel of a router that dies before it reads it: nobody waits for its answer.
kill -STOP "$(pid_of router)"
c set sample/object=30/weight 600
c apply >"$dir/lost" 2>&1 &
asked=$!
sleep 0.5
kill -9 "$(pid_of router)"
check 'the router dies with a change in its hands: it is said soon' within 3000 grep -q 'router process is away' "$dir/lost"
check '... router and disk agree' within 3000 agree
wait $asked
c discard >/dev/null 2>&1
for i in 1 2 3 4 5 6; do
    c set sample/object=30/weight "$((600 + i))"
    if [ $((i % 2)) = 0 ]; then (c apply >/dev/null 2>&1 &); else (c apply --confirm 1 >/dev/null 2>&1 &); fi
    sleep "0.0$((RANDOM % 6))"
    kill -9 "$(pid_of router)"
    [ $((i % 2)) = 0 ] || sleep 1.2
    within 5000 c show
    check "kill -9 of router in change $i: router and disk agree" within 8000 agree
    c return >/dev/null 2>&1
    c discard >/dev/null 2>&1
done
c set sample/object=30/weight 300 && c apply >/dev/null

id=$(node_id)
c set /kira/interface 'eth*' && c apply >/dev/null
check 'what processes read at their start: they begin anew' within 5000 grep -qx 'interface eth\*' "$dir/n/state/config/node"
within 5000 h status
check '... and are the same node' within 5000 [ "$(node_id)" = "$id" ]
printf 'interface left-behind\n' >"$dir/n/state/config/node"
kill -9 "$(pid_of manage)"
check 'what an apply that died left for the start is put right' within 5000 grep -qx 'interface eth\*' "$dir/n/state/config/node"
sleep 0.5
check '... and all begin anew' within 5000 h status
check 'nothing crashed by itself' refused grep -q 'Assertion' "$dir/log"
h down >/dev/null
keeper=
printf '%d failures\n' "$failures"
[ "$failures" = 0 ]
