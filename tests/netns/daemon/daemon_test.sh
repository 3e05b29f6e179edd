#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heddled as a whole, on two nodes in network namespaces: start and refusals, kill -9 of each process under
# traffic, restart, repair of what others removed, closed fabrics, and that an orderly end leaves nothing.
#
#   daemon_test.sh HEDDLED HEDDLE ebpf|tun
set -u
heddled=$1 heddle=$2 backend=$3
base=hdd$$
dir=$(mktemp -d /tmp/$base.XXXXXX)
failures=0

say() { printf '%s\n' "$*"; }
ok() { say "ok: $1"; }
bad() {
    say "NOT OK: $1"
    failures=$((failures + 1))
}
check() { # name, command...
    local name=$1
    shift
    if "$@" >"$dir/out" 2>&1; then ok "$name"; else
        bad "$name"
        sed 's/^/    /' "$dir/out"
    fi
}
within() { # milliseconds, command...: until it succeeds
    local end=$(($(date +%s%3N) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%3N)" -gt $end ] && return 1
        sleep 0.02
    done
}
in_ns() { # a|b, command...
    local n=$1
    shift
    nsenter --net=/run/netns/$base$n "$@"
}
h() { # a|b, arguments of heddle
    local n=$1
    shift
    "$heddle" --state "$dir/$n" "$@"
}
start() { # a|b, more options
    local n=$1
    shift
    # Not through a function, whose number would be that of a subshell.
    nsenter --net=/run/netns/$base"$n" "$heddled" --foreground --state "$dir/$n" \
        --backend "$backend" --log-level info "$@" 2>>"$dir/$n.log" &
    eval "keeper_$n=$!"
}
keeper() { eval echo "\$keeper_$1"; }
pid_of() { pgrep -P "$(keeper "$1")" -f "heddled: $2"; }
ready_lines() { grep -c 'cause=ready' "$dir/$1.log"; }
ready_again() { [ "$(ready_lines "$1")" -gt "$2" ]; }
address() { h "$1" status -j | grep -o '"fc00:[0-9a-f:]*"' | head -n 1 | tr -d '"'; }
reaches() { in_ns "$1" ping -q -c 1 -W 1 "$2"; }
ended() { ! kill -0 "$1" 2>/dev/null; }
no_loss() { grep -q ' 0% packet loss' "$1"; }

cleanup() {
    local n
    for n in a b; do
        kill -9 "$(keeper $n)" 2>/dev/null
    done
    wait 2>/dev/null
    for n in a b; do
        umount "$dir/$n/bpf" 2>/dev/null
        ip netns del $base$n 2>/dev/null
    done
    rm -rf "$dir"
}
keeper_a= keeper_b=
trap cleanup EXIT

for n in a b; do
    ip netns add $base$n || exit 1
    ip -n $base$n link set lo up
    mkdir "$dir/$n"
    : >"$dir/$n.log"
done
ip link add "${base}va" netns ${base}a type veth peer name "${base}vb" netns ${base}b
ip -n ${base}a link set "${base}va" up
ip -n ${base}b link set "${base}vb" up

# --- refusals -------------------------------------------------------------------------------------------

refused() { # words, folder, more options: on a, fails within its time and says the words
    local words=$1 folder=$2
    shift 2
    in_ns a timeout 10 "$heddled" --foreground --backend "$backend" --state "$folder" "$@" \
        >"$dir/refused" 2>&1 && return 1
    cat "$dir/refused"
    grep -q -- "$words" "$dir/refused"
}
check 'without a fabric it names the ways to one' refused 'heddle up --new' "$dir/a"
in_ns a ip addr add fc00:1::1/64 dev "${base}va"
check 'a foreign address in our prefix: its interface is named' \
    refused "fc00:1::1/64 of the interface ${base}va" "$dir/a" --open
in_ns a ip addr del fc00:1::1/64 dev "${base}va"
in_ns a ip -6 route add fcaa:5::/32 dev "${base}va" proto static
check 'a foreign route in our prefix: its maker is named' \
    refused 'static configuration' "$dir/a" --open
in_ns a ip -6 route del fcaa:5::/32 dev "${base}va"
in_ns a ip link add kira0 type ifb
check 'a kira0 of somebody else is refused' refused 'kira0 belongs to' "$dir/a" --open
in_ns a ip link del kira0

# --- start ----------------------------------------------------------------------------------------------

# The name that keeps a second one out is open to all; whoever is not root keeps nobody out with it.
nsenter --net=/run/netns/${base}b python3 -c '
import os, socket, time
os.setgroups([])
os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.bind("\0heddle.namespace")
s.listen(16)
print("bound", flush=True)
time.sleep(60)' >"$dir/squatter" &
squatter=$!
within 20000 grep -q bound "$dir/squatter"
start a --open
start b --open
check 'a is ready within 5 s' within 5000 ready_again a 0
check 'b is ready within 5 s, whoever has its name' within 5000 ready_again b 0
check 'and the log says who' grep -q 'cause=namespace-name-taken.*uid=65534' "$dir/b.log"
kill $squatter
a=$(address a) b=$(address b)
check 'a reaches b within 5 s' within 5000 reaches a "$b"
check 'the state folder is taken' refused 'another heddled' "$dir/a" --open
mkdir "$dir/c"
# More than once: each that is turned away leaves a connection behind that nobody accepts.
for _ in 1 2 3 4; do
    check 'the namespace is taken' refused "(process $keeper_a) runs in this network namespace" "$dir/c" --open
done

router_is_caged() {
    local status
    status=$(cat /proc/"$(pid_of a router)"/status)
    echo "$status" | grep -E '^(Uid|Cap|NoNew|Seccomp)'
    echo "$status" | grep -q '^CapEff:.0000000000000000' &&
        echo "$status" | grep -q '^CapBnd:.0000000000000000' &&
        echo "$status" | grep -q '^NoNewPrivs:.1' && echo "$status" | grep -q '^Seccomp:.2' &&
        ! echo "$status" | grep -q '^Uid:.0'
}
check 'the router has no capability, no root and a filter' router_is_caged
small_memory() {
    local sum=0 p
    for p in $keeper_a $(pgrep -P $keeper_a); do
        # The recording is a ring of 1 MB beside that, and fills in time.
        sum=$((sum + $(awk '/^[0-9a-f]+-/ {ring = /heddle-recording/} /^Private/ && !ring {s += $2}
                            END {print s}' /proc/"$p"/smaps)))
    done
    echo "$sum kB"
    [ $sum -lt 3072 ]
}
check 'four processes keep less than 3 MB to themselves' small_memory

# --- kill -9 --------------------------------------------------------------------------------------------

# Traffic runs while a role is killed. Its keeper's log tells how long the service was incomplete.
kill_role() { # role
    local role=$1 before end
    before=$(ready_lines a)
    in_ns a ping -q -i 0.01 -c 120 "$b" >"$dir/ping" 2>&1 &
    local ping=$!
    sleep 0.2
    killed=$(date +%s%3N)
    kill -9 "$(pid_of a "$role")"
    within 5000 ready_again a "$before" || return 1
    end=$(date +%s%3N -d "$(grep 'cause=ready' "$dir/a.log" | tail -n 1 | cut -d' ' -f1)")
    echo "complete after $((end - killed)) ms"
    wait $ping
    grep loss "$dir/ping"
    [ $((end - killed)) -le 1000 ]
}
for role in manage system router router; do
    check "$role killed: complete within 1 s" kill_role $role
    check "$role killed: no packet lost" no_loss "$dir/ping"
    check "$role killed: b is reached" within 5000 reaches a "$b"
done

all_new() {
    local before pids
    before=$(ready_lines a)
    pids=$(pgrep -P $keeper_a | sort)
    in_ns a ping -q -i 0.01 -c 120 "$b" >"$dir/ping" 2>&1 &
    local ping=$!
    sleep 0.2
    kill -HUP $keeper_a
    within 5000 ready_again a "$before" || return 1
    wait $ping
    grep loss "$dir/ping"
    [ -z "$(comm -12 <(echo "$pids") <(pgrep -P $keeper_a | sort))" ]
}
check 'SIGHUP: all processes are new' all_new
check 'SIGHUP: no packet lost' no_loss "$dir/ping"

# A queue of kira0 is free while nobody holds it: not for everybody.
nobody_takes_kira0() {
    in_ns a python3 -c '
import fcntl, os, struct, sys
fd = os.open("/dev/net/tun", os.O_RDWR) # many systems let everybody
os.setgroups([])
os.setuid(65534)
try:
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"kira0", 0x5001))
except PermissionError:
    sys.exit(0)
sys.exit("kira0 is taken")'
}
keeper_dies() {
    local children before p
    children=$(pgrep -P $keeper_a)
    in_ns a ping -q -i 0.02 -c 150 "$b" >"$dir/ping" 2>&1 &
    local ping=$!
    sleep 0.2
    kill -9 $keeper_a
    for p in $children; do
        within 2000 ended "$p" || { echo "$p lives on"; return 1; }
    done
    [ "$backend" = ebpf ] || nobody_takes_kira0 || return 1
    before=$(ready_lines a)
    start a --open
    within 5000 ready_again a "$before" || return 1
    wait $ping
    grep loss "$dir/ping"
}
check 'keeper killed: all exit, a new one is complete within 5 s' keeper_dies
[ "$backend" = ebpf ] && check 'keeper killed: no packet lost' no_loss "$dir/ping"
check 'keeper killed: same address' test "$(address a)" = "$a"
check 'keeper killed: b is reached' within 5000 reaches a "$b"

# --- repair ---------------------------------------------------------------------------------------------

kira0_is_there() { in_ns a ip link show kira0; }
in_ns a ip link del kira0
check 'kira0 deleted: it is made anew' within 5000 kira0_is_there
check 'kira0 deleted: b is reached' within 8000 reaches a "$b"
in_ns a ip -6 addr flush dev kira0 scope global
check 'address removed: b is reached' within 8000 reaches a "$b"

foreign_said() { h a status | grep -A 1 '^Foreign' | grep -F -- "$1"; }
foreign_gone() { ! h a status | grep '^Foreign'; }
in_ns a ip addr add fc00:5::1/64 dev "${base}va" nodad
check 'a foreign address that appears: status says how to remove it' \
    within 3000 foreign_said "fc00:5::1/64 on ${base}va is cut off (remove it: ip -6 addr del fc00:5::1/64 dev ${base}va)"
in_ns a ip -6 route add fcaa:5::/32 dev "${base}va" proto static
check 'a foreign route that appears: status says how to remove it' \
    within 3000 foreign_said "(remove it: ip -6 route del fcaa:5::/32 dev ${base}va)"
in_ns a ip addr del fc00:5::1/64 dev "${base}va"
in_ns a ip -6 route del fcaa:5::/32 dev "${base}va"
check 'once both are gone status says nothing' within 5000 foreign_gone

listed() { h a interfaces | grep -q "$1.*$2"; }
ip link add "${base}wa" netns ${base}a type veth peer name "${base}wb" netns ${base}b
ip -n ${base}a link set "${base}wa" mtu 1280 up
ip -n ${base}b link set "${base}wb" up
check 'a small link is left out, with the reason' within 3000 listed "${base}wa" 'MTU below 1324'
ip -n ${base}a link set "${base}wa" mtu 1500
two_links() { [ "$(h a neighbours | grep -c "${base}[vw]a")" = 2 ]; }
check 'once it is large enough the second link comes up' within 15000 two_links
ip -n ${base}a link set "${base}va" down
check 'the first link cut: b is reached over the second' within 5000 reaches a "$b"
ip -n ${base}a link del "${base}wa"
ip -n ${base}a link set "${base}va" up
check 'back on the first link' within 15000 reaches a "$b"

# --- orderly end ----------------------------------------------------------------------------------------

clean() {
    local n=$1
    in_ns "$n" ip link show kira0 && return 1
    in_ns "$n" ip -6 route show table all proto 75 | grep . && return 1
    in_ns "$n" tc qdisc show | grep clsact && return 1
    mount | grep "$dir/$n/" && return 1
    ls "$dir/$n" | grep -v -x 'lock\|state\|open\|fabric.key\|heddled.log' && return 1
    return 0
}
kill -TERM $keeper_a
check 'SIGTERM ends a within 5 s' within 5000 ended $keeper_a
check 'a left nothing behind' clean a
check 'heddle down ends b' h b down
check 'b left nothing behind' clean b

# --- closed fabrics ----------------------------------------------------------------------------------------

neighbours_of() { [ "$(h a neighbours | grep -c "${base}va")" = "$1" ]; }
rm -rf "$dir/a/state" "$dir/b/state"
up_in() { # node, what
    local n=$1
    shift
    in_ns "$n" "$heddle" --state "$dir/$n" up --heddled "$heddled" "$@"
}
check 'up --new makes a fabric and starts in the background' up_in a --new
token=$(grep -o 'heddle1-[0-9a-z-]*' "$dir/out" | head -n 1)
check 'up --new on b makes another one' up_in b --new
sleep 3
check 'two fabrics do not mix' neighbours_of 0
check 'b goes down' h b down
rm -f "$dir/b/fabric.key"
check 'up --join enters the fabric' up_in b --join "$token"
check 'and both are neighbours' within 8000 neighbours_of 1
b=$(address b)
check 'a reaches b' within 5000 reaches a "$b"
check 'down' h a down
check 'down' h b down
check 'a left nothing behind' clean a

# --- a stalled process drains its sockets before it declares anybody dead ----------------------------------

# The sample core, because its hold time of 4 s knows no second question: hellos of b wait in the socket while
# the router sleeps 6 s, and must be heard before the hold timer is.
sample_neighbour() { h a show sample neighbours -j | grep '"node"'; }
up_ms() { sample_neighbour | grep -o '"up-ms":[0-9]*' | head -n 1 | tr -dc 0-9; }
before=$(ready_lines a)
start a --open --core sample
start b --open --core sample
check 'the sample core runs' within 5000 ready_again a "$before"
check 'it finds its neighbour' within 5000 sample_neighbour
stall() {
    local router up
    router=$(pid_of a router)
    kill -STOP "$router"
    sleep 6
    kill -CONT "$router"
    sleep 0.3
    up=$(up_ms)
    echo "neighbour up for ${up:-?} ms"
    [ "${up:-0}" -gt 6000 ]
}
check 'a router that slept 6 s lost no neighbour' stall
kill -TERM $keeper_a $keeper_b
check 'SIGTERM ends a within 5 s' within 5000 ended $keeper_a
check 'a left nothing behind' clean a

say "$failures failed"
if [ $failures -gt 0 ]; then
    for n in a b; do
        say "--- log of $n"
        tail -n 60 "$dir/$n.log" "$dir/$n/heddled.log" 2>/dev/null
    done
    exit 1
fi
