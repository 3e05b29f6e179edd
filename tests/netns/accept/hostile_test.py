# SPDX-License-Identifier: Apache-2.0
"""A hostile neighbour on a link of an open fabric (design.md, section 7): garbage, mutations, replays, floods.

    n0 - n1 - n2 - n3        and x, without Heddle, on a link to n1

x hears what n1 says and sends what it likes. Meanwhile and afterwards the honest nodes must reach each other, the
memory of n1 stays bounded, and its CPU becomes quiet again. Losses of a flow through n1 are reported: on a small
machine the flood itself takes the CPU from everybody.
"""
import ctypes
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import time

from accept import (KIRA_PORT, LIBC, Failed, Lab, Suite, Wire, cpu_seconds, expect, flow_end, ipv6, mac_bytes, must,
                    packed, private_kilobytes, run, udp, whole, within)

SEED = int(os.environ.get('HD_SEED', time.time()))
VICTIM, HONEST = 'n1', ('n0', 'n1', 'n2', 'n3')
MEMORY_KB = 4096


class iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]


class msghdr(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint32), ('iov', ctypes.c_void_p),
                ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t),
                ('flags', ctypes.c_int)]


class mmsghdr(ctypes.Structure):
    _fields_ = [('hdr', msghdr), ('len', ctypes.c_uint)]


class Volley:
    """Frames that leave with one system call."""

    def __init__(self, frames):
        self.buffers = [ctypes.create_string_buffer(f, len(f)) for f in frames]
        self.iov = (iovec * len(frames))()
        self.messages = (mmsghdr * len(frames))()
        for i, b in enumerate(self.buffers):
            self.iov[i] = iovec(ctypes.addressof(b), len(b))
            self.messages[i].hdr.iov = ctypes.addressof(self.iov[i])
            self.messages[i].hdr.iovlen = 1
        self.n = len(frames)

    def fire(self, s):
        return max(LIBC.sendmmsg(s.fileno(), self.messages, self.n, 0), 0)


class Attacker:
    def __init__(self, lab):
        self.lab, self.random = lab, random.Random(SEED)
        self.wire = Wire(lab, 'x', 'to-n1')
        self.wire.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        link = json.loads(must(['ip', '-n', lab.namespace('n1'), '-j', 'addr', 'show', 'to-x']))[0]
        self.mac = mac_bytes(link['address'])
        self.address = next(a['local'] for a in link['addr_info'] if a['scope'] == 'link')
        own = json.loads(must(['ip', '-n', lab.namespace('x'), '-j', 'link', 'show', 'to-n1']))[0]
        self.own_mac = mac_bytes(own['address'])
        self.victim = bytes.fromhex(lab.identity('n1'))
        self.heard = []

    def bytes(self, n):
        return self.random.randbytes(n)

    def frame(self, payload, mac=None, source=None, port=KIRA_PORT):
        source = source or 'fe80::' + ':'.join(f'{self.random.randrange(65536):x}' for _ in range(4))
        return self.mac + (mac or self.own_mac) + b'\x86\xdd' + \
            ipv6(source, self.address, 17, udp(source, self.address, KIRA_PORT, port, payload), 255)

    def listen(self, node, interface, seconds):
        """Messages that honest nodes send, for mutation and replay."""
        wire = Wire(self.lab, node, interface)
        with_restart = run([self.lab.suite.heddle, '--state', self.lab.state('n2'), 'restart'])
        expect(with_restart.returncode == 0, with_restart.stderr)
        self.heard += [f[62:] for f, _ in wire.frames(seconds)
                       if f[20] == 17 and int.from_bytes(f[56:58], 'big') == KIRA_PORT and len(f) > 78]
        wire.close()

    def mutated(self):
        m = bytearray(self.random.choice(self.heard))
        for _ in range(self.random.choice((1, 1, 2, 4, 16))):
            m[self.random.randrange(len(m))] = self.random.randrange(256)
        if self.random.random() < 0.2:
            del m[self.random.randrange(len(m)):]
        return bytes(m) or b'\0'

    def invented(self):
        """A real message with another node's name on it: a new stranger each time."""
        other = self.bytes(14)
        return self.random.choice(self.heard).replace(self.victim, other)

    def send(self, payloads, rate=2000, **more):
        for i, p in enumerate(payloads):
            self.wire.s.send(self.frame(p, **more))
            if i % 100 == 99:
                time.sleep(100 / rate)

    def flood(self, make, seconds, rate):
        """As many frames a second as asked for, from prepared volleys; returns how many went."""
        volleys = [Volley([make() for _ in range(1000)]) for _ in range(8)]
        sent, began = 0, time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if sent < passed * rate:
                sent += volleys[(sent // 1000) % 8].fire(self.wire.s)
            else:
                time.sleep(0.001)
        return int(sent / seconds)


def pids(lab):
    return list(lab.processes(VICTIM).values())


class Bounds:
    """Taken before an attack; holds() afterwards."""

    def __init__(self, lab):
        self.lab = lab
        self.before = pids(lab)
        self.memory = private_kilobytes(self.before)

    def holds(self):
        now = pids(self.lab)
        expect(now == self.before, f'processes were replaced: {self.before} -> {now}: {self.lab.log(VICTIM)[-500:]}')
        grown = private_kilobytes(now) - self.memory
        expect(grown < MEMORY_KB, f'memory grew by {grown} kB from {self.memory} kB')
        return f'memory {grown:+d} kB'

    def quiet(self):
        """The CPU time of 2 s, as soon as it is small again."""
        def used():
            a = cpu_seconds(self.before)
            time.sleep(2)
            return cpu_seconds(self.before) - a
        end, last = time.monotonic() + 10, None
        while time.monotonic() < end:
            if (last := used()) < 0.2:
                return f'CPU {last / 2 * 100:.0f} %'
        raise Failed(f'it still uses {last / 2 * 100:.0f} % of a CPU')


def honest_reach(lab):
    for a in HONEST:
        for b in HONEST:
            if a != b:
                within(10, lab.reaches, a, b)


def attack(lab, action):
    bounds = Bounds(lab)
    flow = lab.flow('n0', 'n3', 6)
    try:
        said = action()
    finally:
        result = flow_end(flow)
    honest_reach(lab)
    memory = bounds.holds()
    return f'{said or ""} lost {result["lost"]} of {result["sent"]}, {memory}, {bounds.quiet()}'


def main():
    suite = Suite(sys.argv[1:])
    print(f'HD_SEED={SEED}')
    folder = tempfile.mkdtemp(prefix='heddle-hostile.')
    file = f'{folder}/hostile.json'
    with open(file, 'w') as f:
        json.dump({'nodes': ['n0', 'n1', 'n2', 'n3', {'name': 'x', 'started': False}],
                   'links': [['n0', 'n1'], ['n1', 'n2'], ['n2', 'n3'], ['n1', 'x']]}, f)
    try:
        with Lab(suite, file) as lab:
            within(20, lambda: all(lab.show(n, 'status').get('state') == 'joined' for n in HONEST))
            suite.case('honest nodes reach each other', honest_reach, lab)
            x = Attacker(lab)
            suite.case('x hears', lambda: x.listen('n1', 'to-n2', 3) or f'{len(x.heard)} messages')

            def garbage():
                x.send([x.bytes(x.random.randrange(1400)) for _ in range(8000)])

            def mutations():
                x.send([x.mutated() for _ in range(8000)])

            def replays():
                x.send([x.random.choice(x.heard) for _ in range(8000)])

            def lies():
                x.send([x.invented() for _ in range(8000)])

            def policed_flood(make):
                """Of 5 s at least what came in one is refused before anybody looks at it."""
                before = lab.counters(VICTIM)['drop.policed']
                rate = x.flood(make, 5, 100000)
                refused = lab.counters(VICTIM)['drop.policed'] - before
                expect(refused > rate, f'{refused} policed at {rate} messages/s')
                return rate

            def flood_one():
                fixed = x.own_mac
                rate = policed_flood(lambda: x.frame(x.invented(), fixed, 'fe80::bad'))
                return f'{rate} messages/s from one address,'

            def flood_many():
                rate = policed_flood(lambda: x.frame(x.invented(), b'\x02' + x.bytes(5)))
                return f'{rate} messages/s from all addresses,'

            def flood_labels():
                def make():
                    to = '::'.join(['fcaa', x.bytes(2).hex()])
                    return x.mac + b'\x02' + x.bytes(5) + b'\x86\xdd' + ipv6('fc00::bad', to, 47, x.bytes(200))
                return f'{x.flood(make, 5, 100000)} labelled packets/s,'

            def flood_garbage():
                rate = policed_flood(lambda: x.frame(x.bytes(100), b'\x02' + x.bytes(5)))
                return f'{rate} messages/s of garbage,'

            attacks = (('garbage', garbage), ('mutated messages', mutations), ('replayed messages', replays),
                                 ('invented nodes', lies), ('flood from one address', flood_one),
                                 ('flood from many addresses', flood_many), ('flood of garbage', flood_garbage),
                                 ('flood of labels', flood_labels))
            for name, action in attacks:
                if not suite.short or action in (mutations, flood_many):
                    suite.case(name, attack, lab, action)

            def all_well():
                honest_reach(lab)
                within(90, lambda: len(lab.rows(VICTIM, 'neighbours')) == 2)

            suite.case('what x invented is forgotten', all_well)
            c = lab.counters(VICTIM)
            print('counters:', {k: v for k, v in c.items() if k.startswith('drop.') and v})
    finally:
        shutil.rmtree(folder)
    suite.finish()


if __name__ == '__main__':
    main()
