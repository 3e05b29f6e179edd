# SPDX-License-Identifier: Apache-2.0
"""How many BFD sessions at 10 ms, three times, one core carries without a false alarm (root).

    bench_test.py BFD-NODE [SESSIONS [SECONDS]]

Two nodes on one link, each bound to a processor of its own with its sender, each with as many sessions. Printed are
sessions that went down, the largest delay of a departure, and the processor time of both processes of each side per
second: it contains what the kernel did for them in both directions.
"""
import os
import subprocess
import sys
import time

A, B = 'bfd-bench-a', 'bfd-bench-b'
IF_A, IF_B = 'bfdbe-a', 'bfdbe-b'


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, **more).stdout


def remove_lab():
    for name in (A, B):
        subprocess.run(['ip', 'netns', 'del', name], capture_output=True)


def make_lab(sessions):
    remove_lab()
    for name in (A, B):
        run('ip', 'netns', 'add', name)
    run('ip', 'link', 'add', IF_A, 'netns', A, 'type', 'veth', 'peer', 'name', IF_B, 'netns', B)
    run('ip', '-n', A, 'link', 'set', IF_A, 'up')
    run('ip', '-n', B, 'link', 'set', IF_B, 'up')
    for name, device, net in ((A, IF_A, 1), (B, IF_B, 2)):
        lines = ''.join(f'addr add 2001:db8:9:{net}::{n:x}/48 dev {device} nodad\n' for n in range(sessions))
        run('ip', '-n', name, '-batch', '-', input=lines)
    # Each neighbour is known, so that the bench measures BFD and not neighbour discovery.
    macs = [run('ip', 'netns', 'exec', n, 'cat', f'/sys/class/net/{i}/address').strip() for n, i in ((A, IF_A), (B, IF_B))]
    for name, device, net, mac in ((A, IF_A, 2, macs[1]), (B, IF_B, 1, macs[0])):
        lines = ''.join(f'neigh replace 2001:db8:9:{net}::{n:x} lladdr {mac} dev {device}\n' for n in range(sessions))
        run('ip', '-n', name, '-batch', '-', input=lines)


def seconds_of(pids):
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/stat', encoding='ascii') as f:
            words = f.read().rsplit(')', 1)[1].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf('SC_CLK_TCK')


def main():
    if os.geteuid() != 0:
        print('skip: needs root')
        sys.exit(77)
    program = sys.argv[1]
    sessions = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    length = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    make_lab(sessions)
    sides = []
    try:
        for cpu, name, spec in ((0, A, f'sh,{IF_A},2001:db8:9:1::%,2001:db8:9:2::%,10000,10000,3*{sessions}'),
                                (1, B, f'sh,{IF_B},2001:db8:9:2::%,2001:db8:9:1::%,10000,10000,3*{sessions}')):
            p = subprocess.Popen(['ip', 'netns', 'exec', name, 'taskset', '-c', str(cpu % os.cpu_count()), program, '--quiet',
                                  '--rows', '1', spec], stdout=subprocess.PIPE, text=True)
            sides.append(p)
        time.sleep(6)  # all up, at their interval
        children = [run('pgrep', '-P', str(p.pid)).split() for p in sides]
        pids = [[p.pid] + [int(c) for c in kids] for p, kids in zip(sides, children)]
        before, at = [seconds_of(x) for x in pids], time.monotonic()
        time.sleep(length)
        took = time.monotonic() - at
        used = [(seconds_of(x) - b) / took for x, b in zip(pids, before)]
        outputs = []
        for p in sides:
            p.terminate()
        for p in sides:
            outputs.append(p.communicate(timeout=20)[0])
    finally:
        for p in sides:
            p.kill()
        remove_lab()
    bad = False
    for side, text, cores in zip('AB', outputs, used):
        lines = [dict(w.split('=') for w in line.split()[2:]) for line in text.splitlines() if ' summary ' in line]
        steady, last = lines[4:], lines[-1]
        up = min(int(s['up']) for s in steady[:length])
        downs = int(steady[length - 1]['downs'])
        bad |= up < sessions or downs > 0
        print(f'{side}: {up} of {sessions} up, {downs} down, {cores:.3f} cores, departures at most '
              f'{int(last["sender-late-us"])} us late, {last["late"]} intervals granted, realtime={last["realtime"]}')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
