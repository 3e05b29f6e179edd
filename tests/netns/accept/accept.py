# SPDX-License-Identifier: Apache-2.0
"""What the acceptance tests share: labs of real daemons, sockets in their namespaces, results.

Each test is a program `NAME_test.py LAB HEDDLE HEDDLED [BACKEND [short]]` that prints one line per case and ends with
"N passed, N failed". The tests see Heddle as its users do: by its commands, by the files it leaves, and by
packets on the links. Standard library only, so that a fresh machine needs nothing but Python.
"""
import ctypes
import hashlib
import ipaddress
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
KIRA_PORT = 19219


class Failed(Exception):
    """A case that did not hold, with the reason."""


class Suite:
    """Counts cases and prints them as they end."""

    def __init__(self, words):
        if os.geteuid() != 0:
            print('skip: needs root')
            sys.exit(77)
        if len(words) < 3:
            sys.exit('arguments: HEDDLE-LAB HEDDLE HEDDLED [BACKEND [short]]')
        self.lab_program, self.heddle, self.heddled = words[:3]
        self.backend = words[3] if len(words) > 3 else 'ebpf'
        self.short = 'short' in words[4:]
        self.passed = self.failed = self.skipped = 0
        # Who stops a test ends its labs, too.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    def case(self, name, what, *args):
        """Runs what(*args): it raises Failed, or returns a remark worth printing (or nothing)."""
        began = time.monotonic()
        try:
            remark = what(*args)
        except Failed as why:
            self._end(False, name, str(why), began)
            return False
        except Exception:  # a test that stumbles has failed; the others go on
            self._end(False, name, traceback.format_exc(), began)
            return False
        self._end(True, name, remark, began)
        return True

    def _end(self, good, name, remark, began):
        self.passed += good
        self.failed += not good
        took = time.monotonic() - began
        text = f': {remark}' if remark else ''
        print(f'{"ok" if good else "NOT OK"}: {name} ({took:.1f} s){text}', flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f'skip: {name}: {why}', flush=True)

    def finish(self):
        skipped = f', {self.skipped} skipped' if self.skipped else ''
        print(f'{self.passed} passed, {self.failed} failed{skipped}')
        sys.exit(1 if self.failed else 0)


def run(words, timeout=60, **more):
    """Runs a program; its result with text output. Never raises for an exit status."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **more)
    except subprocess.TimeoutExpired as late:
        raise Failed(f'{" ".join(map(str, words))}: no end within {timeout} s') from late


def must(words, timeout=60, **more):
    r = run(words, timeout, **more)
    if r.returncode != 0:
        raise Failed(f'{" ".join(map(str, words))}: exit {r.returncode}: {(r.stderr or r.stdout).strip()}')
    return r.stdout


def expect(condition, reason):
    if not condition:
        raise Failed(reason)


def within(seconds, what, *args):
    """Milliseconds until what(*args) is true; Failed with its last word when that does not come."""
    began = time.monotonic()
    last = None
    while True:
        try:
            last = what(*args)
        except Failed as why:
            last, reason = None, str(why)
        else:
            reason = f'{what.__name__} is {last!r}'
        if last:
            return int((time.monotonic() - began) * 1000)
        if time.monotonic() - began > seconds:
            raise Failed(f'not within {seconds} s: {reason}')
        time.sleep(0.02)


class inside:
    """With this, the thread is in a network namespace: what it opens there stays there."""

    def __init__(self, namespace):
        self.path = f'/run/netns/{namespace}'

    def __enter__(self):
        self.home = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        self._enter(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))

    def __exit__(self, *what):
        self._enter(self.home)

    @staticmethod
    def _enter(fd):
        failed = LIBC.setns(fd, CLONE_NEWNET)
        os.close(fd)
        if failed:
            raise OSError(ctypes.get_errno(), 'setns')


class Lab:
    """A lab for the time of a `with`. Daemons can be left out and be started one by one."""

    def __init__(self, suite, what, *daemon_args, daemons=True, name=None):
        self.suite = suite
        self.name = name or f'acc{os.getpid()}'
        self.what = what
        self.args = list(daemon_args)
        self.daemons = daemons
        self.path = f'/run/heddle-lab/{self.name}'
        self.addresses = {}
        self.started = []

    def __enter__(self):
        words = [self.suite.lab_program, 'up', self.what, '--name', self.name]
        if not self.daemons:
            words.append('--no-daemon')
        else:
            words += ['--heddled', self.suite.heddled, '--', '--backend', self.suite.backend] + self.args
        must(words)
        return self

    def __exit__(self, *what):
        for p in self.started:
            stop_process(p)
        run([self.suite.lab_program, 'down', '--name', self.name])

    def lab(self, command, *words, timeout=60):
        """heddle-lab; its JSON where the command has such."""
        out = must([self.suite.lab_program, command, *words, '--name', self.name], timeout)
        return json.loads(out) if '-j' in words else out

    def namespace(self, node):
        return f'heddle-{self.name}-{node}'

    def inside(self, node):
        return inside(self.namespace(node))

    def at(self, node, *words):
        """The words that run a program at a node (in its network namespace only)."""
        return ['nsenter', f'--net=/run/netns/{self.namespace(node)}', *words]

    def ip(self, node, *words):
        return must(['ip', '-n', self.namespace(node), *words])

    def state(self, node):
        return f'{self.path}/{node}'

    def run_heddle(self, node, *words, timeout=30):
        return run(self.at(node, self.suite.heddle, '--state', self.state(node), *words), timeout)

    def show(self, node, *words, timeout=30):
        """What `heddle ... -j` says, as data."""
        r = self.run_heddle(node, *words, '-j', timeout=timeout)
        try:
            data = json.loads(r.stdout)
        except ValueError:
            raise Failed(f'heddle {" ".join(words)} -j at {node}: no JSON: {r.stdout[:200]!r}') from None
        if r.returncode != 0:
            raise Failed(f'heddle {" ".join(words)} at {node}: {r.stdout.strip()[:300]}')
        return data

    def rows(self, node, table, *words):
        return self.show(node, table, *words)[table]

    def counters(self, node):
        return {c['name']: c['value'] for c in self.rows(node, 'counters', '--all')}

    def identity(self, node):
        status = self.show(node, 'status')
        self.addresses[node] = status['address']
        return status['node-id']

    def address(self, node):
        if node not in self.addresses:
            self.identity(node)
        return self.addresses[node]

    def reaches(self, a, b, wait=1):
        return run(self.at(a, 'ping', '-q', '-n', '-c', '1', '-W', str(wait), self.address(b))).returncode == 0

    def settled(self, seconds=20, *nodes):
        """Waits until every pair of nodes answers."""
        r = self.lab('reach', '-j', '--timeout-ms', str(seconds * 1000), timeout=seconds + 30)
        expect(r['reached'] == r['pairs'], f'{r["reached"]} of {r["pairs"]} pairs answer: {r["unreached"][:3]}')
        return f'{r["pairs"]} pairs in {r["took-ms"]:.0f} ms'

    def processes(self, node):
        return {p['name']: p['pid'] for p in self.show(node, 'status')['processes']}

    def log(self, node):
        with open(f'{self.state(node)}/heddled.log', errors='replace') as f:
            return f.read()

    def background(self, node, *words, **more):
        """Starts a program at a node; the end of the lab ends it."""
        more.setdefault('stdout', subprocess.PIPE)
        more.setdefault('stderr', subprocess.STDOUT)
        p = subprocess.Popen(self.at(node, *words), stdin=subprocess.DEVNULL, text=True, **more)
        self.started.append(p)
        return p

    def flow(self, a, b, seconds, *words):
        """Starts `heddle-lab flow` from a to b; end it with flow_end."""
        return subprocess.Popen([self.suite.lab_program, 'flow', a, b, '--name', self.name, '-j', '--to',
                                 self.address(b), '--seconds', str(seconds), *words],
                                stdout=subprocess.PIPE, text=True)


def flow_end(p):
    out, _ = p.communicate(timeout=60)
    try:
        return json.loads(out)
    except ValueError:
        raise Failed(f'heddle-lab flow said {out[:200]!r}') from None


def stop_process(p):
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(3)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def private_kilobytes(pids):
    """What the processes keep to themselves, but for the recording: that fills up to its size and no further."""
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/smaps') as f:
            recording = False
            for line in f:
                if line[0] in '0123456789abcdef':
                    recording = 'memfd:heddle-recording' in line
                elif line.startswith('Private_') and not recording:
                    total += int(line.split()[1])
    return total


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/stat') as f:
            words = f.read().rsplit(')', 1)[1].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf('SC_CLK_TCK')


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def path_label(ids):
    """The label of a path: where it enters first, its destination last (kira.md 2.3)."""
    return hashlib.sha1(b''.join(bytes.fromhex(i) for i in ids)).digest()[:14].hex()


def label_address(label):
    return str(ipaddress.IPv6Address(bytes.fromhex('fcaa' + label)))


def packed(address):
    return socket.inet_pton(socket.AF_INET6, address)


def ipv6(source, to, next_header, payload, hop_limit=64, traffic_class=0):
    return struct.pack('!IHBB', 6 << 28 | traffic_class << 20, len(payload), next_header, hop_limit) + \
        packed(source) + packed(to) + payload


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(source, to, sport, dport, payload):
    """A UDP datagram with its checksum, to be carried by ipv6()."""
    head = struct.pack('!HHHH', sport, dport, 8 + len(payload), 0)
    pseudo = packed(source) + packed(to) + struct.pack('!II', 8 + len(payload), socket.IPPROTO_UDP)
    return head[:6] + struct.pack('!H', checksum(pseudo + head + payload) or 0xffff) + payload


def whole(frame):
    """A UDP frame as heard on a virtual link, with the checksum that the sender left to its device."""
    body = frame[54:60] + b'\0\0' + frame[62:]
    pseudo = frame[22:54] + struct.pack('!II', len(body), socket.IPPROTO_UDP)
    return frame[:60] + struct.pack('!H', checksum(pseudo + body) or 0xffff) + frame[62:]


def echo_request(source, to, ident, payload=b''):
    body = struct.pack('!BBHHH', 128, 0, 0, ident, 1) + payload
    pseudo = packed(source) + packed(to) + struct.pack('!II', len(body), socket.IPPROTO_ICMPV6)
    return body[:2] + struct.pack('!H', checksum(pseudo + body)) + body[4:]


def mac_bytes(text):
    return bytes.fromhex(text.replace(':', ''))


class Wire:
    """Raw frames at an interface of a node."""

    def __init__(self, lab, node, interface):
        with lab.inside(node):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # all: also what leaves
            self.s.bind((interface, 3))

    def send(self, to_mac, from_mac, packet):
        self.s.send(mac_bytes(to_mac) + mac_bytes(from_mac) + b'\x86\xdd' + packet)

    def frames(self, seconds):
        """Frames as they come, for so long: (bytes, whether this node sent it)."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.s], [], [], left)[0]:
                frame, where = self.s.recvfrom(65536)
                if frame[12:14] == b'\x86\xdd':
                    yield frame, where[2] == socket.PACKET_OUTGOING

    def close(self):
        self.s.close()


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
