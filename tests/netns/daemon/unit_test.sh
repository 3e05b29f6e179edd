#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heddled with no more than what packaging/heddled.service.in leaves it: its capabilities, no new privileges, no
# right to mount, file systems read-only but for what the unit opens. eBPF has to work all the same, over a
# crash of the whole service, and nothing may be left at the end. Not played here: the filter of system
# calls, except that of the calls to mount, which no capability allows.
#
#   unit_test.sh HEDDLED HEDDLE UNIT
set -u
if [ -z "${base:-}" ]; then
    export base=hdu$$
    export dir=/tmp/$base
    mkdir "$dir" || exit 1
    for n in ${base}a ${base}b; do
        ip netns add $n && ip -n $n link set lo up || exit 1
    done
    # A mount namespace of its own, as the service has one.
    unshare --mount --propagation private "$0" "$@"
    status=$?
    ip netns del ${base}a
    ip netns del ${base}b
    rm -rf "$dir"
    exit $status
fi
heddled=$1 heddle=$2 unit=$3
failures=0
keeper=

check() { # name, command...
    local name=$1
    shift
    if "$@" >"$dir/out" 2>&1; then echo "ok: $name"; else
        echo "NOT OK: $name"
        sed 's/^/    /' "$dir/out"
        failures=$((failures + 1))
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
h() { "$heddle" --state "$dir/a" "$@"; }
cleanup() {
    [ -n "$keeper" ] && kill -9 "$keeper" 2>/dev/null
    wait 2>/dev/null
}
trap cleanup EXIT

mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf /sys/fs/bpf || exit 1 # as systemd does
ip link add v0 netns ${base}a type veth peer name v1 netns ${base}b && ip -n ${base}a link set v0 up &&
    ip -n ${base}b link set v1 up || exit 1
mkdir "$dir/a"
# ProtectSystem=strict: all but /dev, /proc, /sys and the service's folders.
mount --bind "$dir" "$dir" && mount -o remount,ro,bind / || exit 1

# "CAP_NET_ADMIN CAP_BPF" of all lines as "+net_admin,+bpf"
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr ' ' '\n' | sed 's/^CAP_/+/' | tr A-Z a-z | paste -sd,)
start() {
    nsenter --net=/run/netns/${base}a setpriv --bounding-set=-all,"$capabilities" --inh-caps=-all --no-new-privs \
        "$heddled" --foreground --open --state "$dir/a" --backend ebpf --log-level info 2>>"$dir/log" &
    keeper=$!
}
ready() { [ "$(grep -c cause=ready "$dir/log")" = "$1" ]; }
pins() { ls -d /sys/fs/bpf/heddle-*/hd_ifs; }
no_pins() { ! ls -d /sys/fs/bpf/heddle-*; }
may_not_mount() { ! grep -q "$dir/a/bpf" /proc/"$keeper"/mounts && [ ! -e "$dir/a/bpf" ]; }
only_those() { # the keeper's bounding set is the unit's
    local want
    want=$(capsh --decode="$(awk '/^CapBnd/ {print $2}' /proc/"$keeper"/status)" | sed 's/.*=//' | tr ',' '\n' | sed 's/^cap_/+/' | sort)
    echo "$want"
    [ "$want" = "$(echo "$capabilities" | tr ',' '\n' | sort)" ]
}
uses_ebpf() { h status | grep -q 'Data plane *ebpf'; }
uses_link() { h interfaces | grep 'v0' | grep -v -i 'not'; }
has_configuration() { ! grep no-configuration "$dir/log" && h config show; }
adopted() { grep -q 'cause=set-up.*adopted=1' "$dir/log"; }
no_kira0() { ! ip -n ${base}a link show kira0; }

start
check 'it is ready within 5 s' within 5000 ready 1
check 'it has the capabilities of the unit and no other' only_those
check 'the data plane is eBPF' uses_ebpf
check 'its pins are below /sys/fs/bpf' pins
check 'nothing was mounted' may_not_mount
kill -9 $keeper
wait $keeper 2>/dev/null
check 'after a crash of the service the pins are there' pins
start
check 'the next one is ready within 5 s' within 5000 ready 2
check 'it took over what it found' adopted
check 'it reads its configuration again' has_configuration
check 'by the same pins' test "$(ls -d /sys/fs/bpf/heddle-* | wc -l)" = 1
check 'the data plane is eBPF' uses_ebpf
check 'it attaches to an interface that comes' within 3000 uses_link
kill -TERM $keeper
wait $keeper 2>/dev/null
keeper=
check 'no pin is left' no_pins
check 'no kira0 is left' no_kira0

echo "$failures failed"
[ $failures -eq 0 ] || { tail -n 40 "$dir/log"; exit 1; }
