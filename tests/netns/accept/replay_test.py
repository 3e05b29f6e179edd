# SPDX-License-Identifier: Apache-2.0
"""What daemons recorded is lived again by the simulator's program, call by call (decision 0015).

A ring of five nodes, in which links fail and heal, a node is killed, processes die and somebody asks. Then every node's
recording is saved and replayed: no call may do anything else than it did.
"""
import json
import os
import signal
import sys
import time

from accept import Failed, Lab, Suite, expect, is_alive, kill, must, run, within

NODES = [f'n{i}' for i in range(5)]


def simulator(suite):
    return os.path.join(os.path.dirname(suite.heddle), '..', 'sim', 'heddle-sim')


def replay(suite, path, *words):
    """Exit status, and what it says."""
    r = run([simulator(suite), 'replay', path, '-j', *words], timeout=60)
    try:
        return r.returncode, json.loads(r.stdout)
    except ValueError:
        raise Failed(f'heddle-sim replay: exit {r.returncode}: {(r.stdout + r.stderr)[:300]}') from None


def record(lab, node):
    path = f'{lab.path}/{node}.recording'
    if os.path.exists(path):
        os.unlink(path)
    said = lab.show(node, 'record', path)
    expect(os.stat(path).st_mode & 0o777 == 0o600, 'others may read it')
    expect(said['bytes'] > 1000, said)
    return path


def suffer(lab):
    for node, link in ('n0', 'to-n1'), ('n2', 'to-n3'):
        lab.ip(node, 'link', 'set', link, 'down')
        time.sleep(1.5)
        lab.ip(node, 'link', 'set', link, 'up')
        lab.show('n0', 'ping', lab.address('n3'), '-c', '1')
    lab.lab('kill', 'n4')
    time.sleep(1)
    lab.lab('start', 'n4')
    kill(lab.processes('n1')['system'])
    lab.run_heddle('n1', 'path', lab.address('n3'))
    return lab.settled(30)


def identical(suite, lab):
    calls = []
    for node in NODES:
        status, said = replay(suite, record(lab, node))
        expect(status == 0 and said['identical'] and said['skipped'] == 0, f'{node}: {said}')
        expect(said['calls'] > 20 and said['first'] == 1, f'{node}: {said}')
        calls.append(said['calls'])
    return f'{sum(calls)} calls'


def parts(suite, lab):
    """The replay can be ended, stopped at a call, and printed."""
    path = record(lab, 'n2')
    status, said = replay(suite, path, '--until', '50')
    expect(status == 0 and said['last'] == 50, said)
    r = run([simulator(suite), 'replay', path, '--stop-at', '2s'], timeout=60)
    expect(r.returncode == -signal.SIGTRAP, f'exit {r.returncode}')
    out = must([simulator(suite), 'replay', path, '--print'], timeout=60)
    expect('start of kira' in out and 'interface' in out and ' send ' in out, out[:300])
    with open(path, 'r+b') as f:
        f.truncate(100000)
    status, said = replay(suite, path)
    expect(status == 2 and 'cut off' in said['error']['message'], said)


def dies(suite, lab):
    """A router that dies by a signal leaves its recording, at most four of them; kill -9 leaves none."""
    state = lab.state('n3')
    for number in range(1, 6):
        pid = lab.processes('n3')['router']
        expect(pid != 0, 'no router')
        kill(pid, signal.SIGKILL if number == 1 else signal.SIGSEGV)
        within(15, lambda old=pid: not is_alive(old) and lab.processes('n3')['router'] not in (0, old))
        lab.settled(30)
        saved = min(number - 1, 4)
        within(10, lambda n=saved: len([f for f in os.listdir(f'{state}/recordings')
                                        if f.startswith('died-')]) == n if n else True)
    status, said = replay(suite, f'{state}/recordings/died-1.recording')
    expect(status == 0 and said['identical'], said)
    expect(os.stat(f'{state}/recordings').st_mode & 0o777 == 0o700, 'others may look')
    return f'{said["calls"]} calls of the last one'


def hangs(suite, lab):
    """A router that does nothing any more is recorded as well: nobody asks it."""
    pid = lab.processes('n2')['router']
    kill(pid, signal.SIGSTOP)
    try:
        path = f'{lab.path}/hangs.recording'
        must(lab.at('n2', suite.heddle, '--state', lab.state('n2'), 'record', path), timeout=10)
        status, said = replay(suite, path)
    finally:
        kill(pid, signal.SIGCONT)
    expect(status == 0 and said['identical'], said)


def main():
    suite = Suite(sys.argv[1:])
    with Lab(suite, 'ring:5') as lab:
        suite.case('every node reaches every node', lab.settled)
        suite.case('links, a node and processes fail and come back', suffer, lab)
        suite.case('all recordings replay identically', identical, suite, lab)
        suite.case('a part, a stop, a text, a damaged file', parts, suite, lab)
        suite.case('a router that hangs', hangs, suite, lab)
        suite.case('a router that dies', dies, suite, lab)
    suite.finish()


if __name__ == '__main__':
    main()
