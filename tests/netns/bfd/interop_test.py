# SPDX-License-Identifier: Apache-2.0
"""BFD against daemons that we did not write: FRR's bfdd and BIRD (root).

    interop_test.py BFD-NODE [NAME...]

Two namespaces with one link. On one side bfd-node (our core, driver and sender), on the other a peer. Both families, one
hop and several, authentication, a changed interval, death of either side, death of our router process alone. At the end
tshark judges what went over the link.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

A, B = 'bfd-it-a', 'bfd-it-b'
IF_A, IF_B = 'bfdit-a', 'bfdit-b'
FRR = '/usr/lib/frr'
MS = 100  # interval: peers at normal priority share this machine with other work
AUTH = {'simple': 1, 'keyed md5': 2, 'meticulous keyed md5': 3, 'keyed sha1': 4, 'meticulous keyed sha1': 5}


class Failed(Exception):
    """A case that did not hold."""


def run(*words, check=True):
    r = subprocess.run(words, capture_output=True, text=True, timeout=30)
    if check and r.returncode != 0:
        raise Failed(f'{" ".join(words)}: {r.stderr}')
    return r.stdout


def inside(namespace, *words, **more):
    return subprocess.Popen(['ip', 'netns', 'exec', namespace, *words], **more)


def make_lab():
    remove_lab()
    for name in (A, B):
        run('ip', 'netns', 'add', name)
        run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    run('ip', 'link', 'add', IF_A, 'netns', A, 'type', 'veth', 'peer', 'name', IF_B, 'netns', B)
    for name, device, n in ((A, IF_A, 1), (B, IF_B, 2)):
        run('ip', '-n', name, 'addr', 'add', f'10.77.0.{n}/24', 'dev', device)
        run('ip', '-n', name, 'addr', 'add', f'2001:db8:77::{n}/64', 'dev', device, 'nodad')
        run('ip', '-n', name, 'link', 'set', device, 'up')
    time.sleep(0.5)


def remove_lab():
    for name in (A, B):
        subprocess.run(['ip', 'netns', 'del', name], capture_output=True)


class Node:
    """Our side; its output as lines."""

    def __init__(self, program, *sessions):
        self.log = tempfile.TemporaryFile('w+')
        self.process = inside(A, program, '--rows', '1', *sessions, stdout=self.log, stderr=self.log)
        self.rows = len(sessions)

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def sessions(self):
        """The rows that were printed last, by kind and remote."""
        lines = [line for line in self.text().splitlines() if line.startswith('row ')][-self.rows:]
        return [dict(w.split('=', 1) for w in line.split()[1:]) for line in lines]

    def router_pid(self):
        return int(re.findall(r'router (\d+)', self.text())[-1])

    def wait_up(self, seconds=12):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rows = self.sessions()
            if len(rows) == self.rows and all(r['state'] == '3' and r['remote-state'] == '3' for r in rows):
                return
            time.sleep(0.2)
        raise Failed(f'not up after {seconds} s: {self.text()[-1500:]}')

    def events(self, since):
        found = []
        for line in self.text().splitlines():
            words = line.split()
            if len(words) > 2 and words[1] == 'event' and float(words[0]) >= since:
                found.append((float(words[0]), dict(w.split('=', 1) for w in words[2:])))
        return found

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(10)


class Frr:
    def __init__(self, peers):
        self.dir = tempfile.mkdtemp(prefix='bfd-frr-', dir='/tmp')
        with open(f'{self.dir}/bfdd.conf', 'w', encoding='utf-8') as f:
            f.write('bfd\n' + ''.join(f' peer {p}\n  transmit-interval {MS}\n  receive-interval {MS}\n !\n' for p in peers) + '!\n')
        open(f'{self.dir}/zebra.conf', 'w', encoding='utf-8').close()
        shutil.chown(self.dir, 'frr', 'frr')
        common = ['-z', f'{self.dir}/zserv.sock', '--vty_socket', self.dir, '-P', '0']
        self.zebra = inside(B, f'{FRR}/zebra', '-i', f'{self.dir}/zebra.pid', '-f', f'{self.dir}/zebra.conf', *common,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.bfdd = inside(B, f'{FRR}/bfdd', '-i', f'{self.dir}/bfdd.pid', '-f', f'{self.dir}/bfdd.conf',
                           '--bfdctl', f'{self.dir}/bfdd.sock', *common, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *commands):
        words = [w for c in commands for w in ('-c', c)]
        return run('vtysh', '--vty_socket', self.dir, '-d', 'bfdd', *words)

    def downs(self):
        return sum(p['session-down'] for p in json.loads(self.ask('show bfd peers counters json')))

    def stop(self, how=signal.SIGTERM):
        for p in (self.bfdd, self.zebra):
            p.send_signal(how)
            p.wait(10)

    def clean(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Bird:
    def __init__(self, text):
        self.dir = tempfile.mkdtemp(prefix='bfd-bird-', dir='/tmp')
        with open(f'{self.dir}/bird.conf', 'w', encoding='utf-8') as f:
            f.write(f'router id 10.77.0.2;\nprotocol device {{}}\nprotocol bfd {{\n{text}\n}}\n')
        self.process = inside(B, 'bird', '-f', '-c', f'{self.dir}/bird.conf', '-s', f'{self.dir}/bird.ctl',
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


def ours(extra=''):
    us = MS * 1000
    return [f'sh,{IF_A},-,10.77.0.2,{us},{us},3{extra}', f'sh,{IF_A},2001:db8:77::1,2001:db8:77::2,{us},{us},3{extra}',
            f'mh,-,10.77.0.1,10.77.0.2,{us},{us},3{extra}']


def check_detection(node, at, sessions, diag):
    """All sessions go down within a detection time of 3 x MS; the machine may add a little."""
    time.sleep(MS * 3 / 1000 + 0.4)
    downs = [(t, e) for t, e in node.events(at) if e['state'] == '1' and e['old'] == '3']
    if len(downs) < sessions:
        raise Failed(f'{len(downs)} of {sessions} sessions noticed it: {node.text()[-800:]}')
    last = max(t for t, _ in downs[:sessions]) - at
    if last > MS * 3 / 1000 + 0.1 or any(e['diag'] not in diag for _, e in downs[:sessions]):
        raise Failed(f'detected after {last * 1000:.1f} ms, {downs}')
    return f'{last * 1000:.1f} ms'


def case_frr(program):
    """FRR: all sessions up; an interval changed by it; our router killed; it killed."""
    node = Node(program, *ours())
    frr = Frr([f'10.77.0.1 local-address 10.77.0.2 interface {IF_B}',
               f'2001:db8:77::1 local-address 2001:db8:77::2 interface {IF_B}',
               '10.77.0.1 multihop local-address 10.77.0.2'])
    try:
        node.wait_up()
        downs = frr.downs()
        frr.ask('configure terminal', 'bfd', f'peer 10.77.0.1 local-address 10.77.0.2 interface {IF_B}',
                'receive-interval 200')
        time.sleep(2)
        rows = node.sessions()
        if not any(r['kind'] == '1' and r['tx-us'] == '200000' for r in rows):
            raise Failed(f'the changed interval is not in force: {rows}')
        for _ in range(3):
            os.kill(node.router_pid(), signal.SIGKILL)
            time.sleep(1)
        node.wait_up()
        if frr.downs() != downs:
            raise Failed(f'FRR lost {frr.downs() - downs} sessions when our router process was killed')
        at = time.clock_gettime(time.CLOCK_MONOTONIC)
        frr.bfdd.send_signal(signal.SIGKILL)
        remark = check_detection(node, at, 3, ('1',))
    finally:
        node.stop()
        frr.stop()
        frr.clean()
    return f'3 x kill -9 of our router: nothing lost; its death found after {remark}'


def case_bird(program):
    """BIRD: both families, multihop; orderly end of BIRD."""
    node = Node(program, *ours())
    bird = Bird(f'interface "*" {{ interval {MS} ms; multiplier 3; }};\nmultihop {{ interval {MS} ms; multiplier 3; }};\n'
                f'neighbor 10.77.0.1 dev "{IF_B}";\nneighbor 2001:db8:77::1 dev "{IF_B}" local 2001:db8:77::2;\n'
                'neighbor 10.77.0.1 local 10.77.0.2 multihop on;')
    try:
        node.wait_up()
        time.sleep(2)
        if any(r['downs'] != '0' for r in node.sessions()):
            raise Failed(f'a session flapped: {node.sessions()}')
        at = time.clock_gettime(time.CLOCK_MONOTONIC)
        os.kill(bird.process.pid, signal.SIGKILL)
        return check_detection(node, at, 3, ('1', '3'))
    finally:
        node.stop()
        bird.stop()


def case_auth(program, name):
    """BIRD with authentication of a type; then with another password on our side."""
    text = (f'interface "*" {{ interval {MS} ms; multiplier 3; authentication {name}; '
            f'password "weave" {{ id 7; }}; }};\nneighbor 10.77.0.1 dev "{IF_B}";')
    us = MS * 1000
    bird = Bird(text)
    try:
        node = Node(program, f'sh,{IF_A},-,10.77.0.2,{us},{us},3,auth={AUTH[name]}:7:weave')
        node.wait_up()
        time.sleep(1)
        rows = node.sessions()
        node.stop()
        if rows[0]['downs'] != '0' or rows[0]['invalid'] != '0':
            raise Failed(str(rows))
        node = Node(program, f'sh,{IF_A},-,10.77.0.2,{us},{us},3,auth={AUTH[name]}:7:wrong')
        time.sleep(3)
        text = node.text()
        node.stop()
        if 'dropped-auth-wrong' not in text or node.sessions()[0]['state'] == '3':
            raise Failed(f'a wrong password was accepted: {text[-500:]}')
    finally:
        bird.stop()


def case_tshark(capture):
    """Nothing that went over the link is malformed."""
    for _ in range(20):
        bad = run('tshark', '-r', capture, '-Y', 'bfd && (_ws.malformed || _ws.expert.severity >= 0x800000)', check=False)
        seen = run('tshark', '-r', capture, '-Y', 'bfd', check=False).splitlines()
        if seen:
            break
    if bad.strip() or len(seen) < 100:
        raise Failed(f'{len(seen)} packets, bad ones:\n{bad}')
    return f'{len(seen)} packets'


def main():
    if os.geteuid() != 0:
        print('skip: needs root')
        sys.exit(77)
    if not os.path.exists(f'{FRR}/bfdd') or shutil.which('bird') is None:
        print('skip: needs frr and bird2')
        sys.exit(77)
    program, only = sys.argv[1], sys.argv[2:]
    cases = [('frr', case_frr, (program,)), ('bird', case_bird, (program,))]
    cases += [(f'auth {name}', case_auth, (program, name)) for name in AUTH]
    failed = 0
    make_lab()
    capture = tempfile.mktemp(prefix='bfd-it-', suffix='.pcap', dir='/tmp')
    tcpdump = inside(A, 'tcpdump', '-U', '-i', IF_A, '-w', capture, 'udp', stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for name, what, args in cases + [('tshark', case_tshark, (capture,))]:
            if only and name not in only:
                continue
            if name == 'tshark':
                tcpdump.terminate()
                tcpdump.wait(10)
            try:
                remark = what(*args)
                print(f'ok: {name}' + (f': {remark}' if remark else ''), flush=True)
            except Failed as why:
                failed += 1
                print(f'NOT OK: {name}: {why}', flush=True)
    finally:
        tcpdump.terminate()
        tcpdump.wait(10)
        remove_lab()
        if os.path.exists(capture):
            os.unlink(capture)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
